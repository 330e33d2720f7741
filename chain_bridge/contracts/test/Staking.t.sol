// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {Penalty} from "../src/Penalty.sol";
import {BaseTest} from "./Base.sol";

contract StakingTest is BaseTest {
    uint256 private constant KEY = 7;
    bytes32 private identity;
    address private wallet;

    function setUp() public override {
        super.setUp();
        identity = register(KEY);
        wallet = vm.addr(KEY);
    }

    function unbond(uint256 amount) private {
        vm.prank(wallet);
        registry.unbond(identity, amount);
    }

    function withdraw() private {
        vm.prank(wallet);
        registry.withdraw(identity);
    }

    function check(uint256 stake, uint256 unbonding, uint256 held) private view {
        IReputationRegistry.Identity memory self = registry.get(identity);
        eq(self.stake, stake, "stake");
        eq(self.unbonding, unbonding, "unbonding");
        eq(self.held, held, "held");
        IReputationRegistry.Totals memory sums = registry.totals();
        eq(sums.staked, stake + unbonding, "staked");
        eq(sums.staked + sums.slashed + sums.withdrawn, sums.deposited, "conserved");
        eq(token.balanceOf(address(registry)), stake + unbonding + held, "balance");
    }

    function test_stakeUnbondsInThirtyDays() public {
        deposit(identity, 50 * UNIT);
        check(50 * UNIT, 0, 0);
        uint64 releaseAt = uint64(block.timestamp) + PERIOD;
        vm.expectEmit(address(registry));
        emit IReputationRegistry.UnbondingStarted(identity, 20 * UNIT, releaseAt);
        unbond(20 * UNIT);
        check(30 * UNIT, 20 * UNIT, 0);
        pass(PERIOD - 1);
        vm.prank(wallet);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryTooEarly.selector, releaseAt
            )
        );
        registry.withdraw(identity);
        pass(1);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.Withdrawn(identity, wallet, 20 * UNIT);
        withdraw();
        check(30 * UNIT, 0, 0);
        eq(token.balanceOf(wallet), 20 * UNIT, "paid");
    }

    function test_amountsAreChecked() public {
        bytes memory bad =
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadAmount.selector);
        vm.expectRevert(bad);
        registry.deposit(identity, 0);
        vm.expectRevert();
        registry.deposit(identity, uint256(type(uint128).max) + 1);
        deposit(identity, 5);
        vm.expectRevert(bad);
        vm.prank(wallet);
        registry.unbond(identity, 0);
        vm.expectRevert(bad);
        vm.prank(wallet);
        registry.unbond(identity, 6);
        vm.expectRevert(bad);
        vm.prank(wallet);
        registry.withdraw(identity);
        vm.expectRevert(bad);
        registry.reverseSlash(identity);
        vm.expectRevert(bad);
        registry.settle(identity);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryWrongStatus.selector,
                IReputationRegistry.Status.None
            )
        );
        registry.deposit(keccak256("nobody"), 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryWrongStatus.selector,
                IReputationRegistry.Status.None
            )
        );
        registry.slash(keccak256("nobody"), 1, CID);
    }

    function test_onlyTheWalletTakesStakeOut() public {
        deposit(identity, 5);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryNotWallet.selector, address(this)
            )
        );
        registry.unbond(identity, 5);
    }

    function test_slashByHand() public {
        deposit(identity, 500 * UNIT);
        uint64 until = uint64(block.timestamp) + WINDOW;
        // 100 * 0.5 * (1.5 - 500 / 1000) = 50
        vm.expectEmit(address(registry));
        emit IReputationRegistry.Slashed(identity, 500_000, 50 * UNIT, CID);
        registry.slash(identity, 500_000, CID);
        check(450 * UNIT, 0, 50 * UNIT);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryTooEarly.selector, until
            )
        );
        registry.settle(identity);
        pass(WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryTooLate.selector, until
            )
        );
        registry.reverseSlash(identity);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.SlashSettled(identity, 50 * UNIT);
        registry.settle(identity);
        check(450 * UNIT, 0, 0);
        eq(rewards.funded(), 50 * UNIT, "in the pool");
    }

    function test_lowReputationCostsMore() public {
        deposit(identity, 500 * UNIT);
        Leaf memory leaf = Leaf(identity, wallet, 100e6, 0);
        RoundKey memory key = record(hashOf(leaf), 0);
        pass(DELAY);
        registry.anchor(key, leaf, new bytes32[](0));
        eq(registry.penalty(identity, 1e6), 140 * UNIT, "100 * (1.5 - 0.1)");
        leaf.reputation = 1000e6;
        key = record(hashOf(leaf), 0);
        pass(DELAY);
        registry.anchor(key, leaf, new bytes32[](0));
        eq(registry.penalty(identity, 1e6), 50 * UNIT, "trust never makes it free");
    }

    function test_slashTakesWhatUnbondsToo() public {
        deposit(identity, 60 * UNIT);
        unbond(40 * UNIT);
        registry.slash(identity, 500_000, CID);
        check(0, 10 * UNIT, 50 * UNIT);
        registry.slash(identity, 1_000_000, CID);
        check(0, 0, 60 * UNIT);
        registry.slash(identity, 1_000_000, CID);
        check(0, 0, 60 * UNIT);
    }

    function test_aSlashIsGivenBack() public {
        deposit(identity, 60 * UNIT);
        registry.slash(identity, 500_000, CID);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.SlashReversed(identity, 50 * UNIT);
        registry.reverseSlash(identity);
        check(60 * UNIT, 0, 0);
    }

    function test_aRetiredOneGetsItBackWhereItCanLeave() public {
        deposit(identity, 60 * UNIT);
        registry.slash(identity, 500_000, CID);
        vm.prank(wallet);
        registry.retire(identity);
        registry.reverseSlash(identity);
        check(0, 60 * UNIT, 0);
        pass(PERIOD);
        withdraw();
        check(0, 0, 0);
        eq(token.balanceOf(wallet), 60 * UNIT, "paid");
    }

    function test_slashingIsChecked() public {
        uint256[2] memory severities = [uint256(0), 1_000_001];
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IReputationRegistry.ReputationRegistryBadSeverity.selector, severities[i]
                )
            );
            registry.slash(identity, severities[i], CID);
        }
        for (uint256 length = 0; length < 66; length += 65) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IReputationRegistry.ReputationRegistryBadCid.selector, length
                )
            );
            registry.slash(identity, 1, new bytes(length));
        }
    }

    function test_ownerNamesTheSlasher() public {
        vm.expectEmit(address(registry));
        emit IReputationRegistry.SlasherChanged(address(this), STRANGER);
        registry.setSlasher(STRANGER);
        bytes memory refused = abi.encodeWithSelector(
            IReputationRegistry.ReputationRegistryNotSlasher.selector, address(this)
        );
        vm.expectRevert(refused);
        registry.slash(identity, 1, CID);
        vm.expectRevert(refused);
        registry.ban(identity, CID);
        vm.prank(STRANGER);
        registry.ban(identity, CID);
    }

    function test_pauseStopsMoney() public {
        deposit(identity, 60 * UNIT);
        registry.slash(identity, 1, CID);
        unbond(1);
        pass(PERIOD);
        registry.pause();
        bytes memory stopped = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        vm.expectRevert(stopped);
        registry.deposit(identity, 1);
        vm.expectRevert(stopped);
        registry.slash(identity, 1, CID);
        vm.expectRevert(stopped);
        registry.settle(identity);
        vm.prank(wallet);
        vm.expectRevert(stopped);
        registry.withdraw(identity);
        registry.unpause();
        withdraw();
        registry.settle(identity);
    }

    function testFuzz_penalty(uint128 stake, uint128 base, uint32 severity, uint32 reputation)
        public
        pure
    {
        uint256 s = uint256(severity) % 1e6 + 1;
        uint256 r = uint256(reputation) % (1000e6 + 1);
        uint256 came = Penalty.amount(stake, base, s, r);
        require(came <= stake, "never more than there is");
        uint256 full = uint256(base) * s * (1500e6 - r);
        uint256 floor = full / 1e15;
        eq(came, floor < stake ? floor : stake, "P-32, rounded down");
        require(Penalty.amount(stake, base, s, r / 2) >= came, "less trust costs no less");
        require(came >= (uint256(base) * s / 2e6 < stake ? uint256(base) * s / 2e6 : stake), "half");
    }
}

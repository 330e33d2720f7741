// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {ReputationRegistry} from "../src/ReputationRegistry.sol";
import {BaseTest} from "./Base.sol";

/// A wallet that is a contract (ERC-1271) and consents to everything.
contract ContractWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }
}

contract RegistryTest is BaseTest {
    uint256 private constant KEY = 7;
    bytes32 private constant NODE = keccak256(abi.encode("key", KEY));

    function wrongStatus(IReputationRegistry.Status status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IReputationRegistry.ReputationRegistryWrongStatus.selector, status
        );
    }

    function expectStatus(bytes32 identity, IReputationRegistry.Status status) private view {
        require(registry.get(identity).status == status, "status");
    }

    function test_deployment() public {
        require(registry.slasher() == address(this) && !registry.paused(), "roles");
        require(address(registry.rewards()) == address(rewards), "pool");
        (uint64 year, uint64 week) = (365 days, 7 days);
        bad(0, 0);
        bad(year + 1, week);
        bad(week, 0);
        bad(week, week + 1);
    }

    function bad(uint64 period, uint64 window) private {
        vm.expectRevert(
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadParameter.selector)
        );
        new ReputationRegistry(
            token,
            ledger,
            address(this),
            address(this),
            IReputationRegistry.Parameters(period, window, PENALTY)
        );
    }

    function test_bindsWalletAndNodeKey() public {
        address wallet = vm.addr(KEY);
        bytes32 identity = keccak256(abi.encode(NODE, wallet));
        vm.expectEmit(address(registry));
        emit IReputationRegistry.Registered(identity, wallet, NODE, new bytes(64));
        require(register(KEY) == identity, "identity");
        require(registry.identityFor(NODE, wallet) == identity, "identityFor");
        require(registry.identityOf(wallet) == identity, "identityOf");
        IReputationRegistry.Identity memory self = registry.get(identity);
        require(self.wallet == wallet && self.nodeKey == NODE, "bound");
        expectStatus(identity, IReputationRegistry.Status.Active);
        eq(registry.reputationOf(identity), 500e6, "a newcomer has 500 points");
    }

    function test_aContractCanBeAWallet() public {
        address wallet = address(new ContractWallet());
        bytes32 identity = registry.register(NODE, wallet, block.timestamp, "", new bytes(64));
        expectStatus(identity, IReputationRegistry.Status.Active);
    }

    function test_registrationRefusals() public {
        bytes memory badKey =
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadKey.selector);
        vm.expectRevert(badKey);
        registry.register(0, STRANGER, block.timestamp, "", new bytes(64));
        vm.expectRevert(badKey);
        registry.register(NODE, STRANGER, block.timestamp, "", new bytes(63));
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryExpired.selector, block.timestamp - 1
            )
        );
        registry.register(NODE, STRANGER, block.timestamp - 1, "", new bytes(64));
        vm.expectRevert(
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadSignature.selector)
        );
        registry.register(NODE, STRANGER, block.timestamp, "", new bytes(64));
    }

    function testFuzz_consentIsForThisKeyAndThisTimeHere(bytes32 nodeKey, uint64 later) public {
        vm.assume(nodeKey != 0 && (nodeKey != NODE || later != 0));
        address wallet = vm.addr(KEY);
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(KEY, registry.consentDigest(NODE, wallet, deadline));
        bytes memory consent = abi.encodePacked(r, s, v);
        bytes memory refusal =
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadSignature.selector);
        vm.expectRevert(refusal);
        registry.register(nodeKey, wallet, deadline + later, consent, new bytes(64));
        vm.chainId(block.chainid + 1);
        vm.expectRevert(refusal);
        registry.register(NODE, wallet, deadline, consent, new bytes(64));
    }

    function test_aRetiredWalletDoesNotComeBack() public {
        bytes32 identity = register(KEY);
        deposit(identity, 5 * UNIT);
        vm.prank(vm.addr(KEY));
        registry.retire(identity);
        expectStatus(identity, IReputationRegistry.Status.Retired);
        eq(registry.get(identity).unbonding, 5 * UNIT, "all of it unbonds");
        address wallet = vm.addr(KEY);
        bytes memory used = abi.encodeWithSelector(
            IReputationRegistry.ReputationRegistryWalletUsed.selector, identity
        );
        vm.expectRevert(used);
        registry.register(NODE, wallet, block.timestamp, "", new bytes(64));
        vm.expectRevert(used);
        registry.register(keccak256("new"), wallet, block.timestamp, "", new bytes(64));
        bytes memory retired = wrongStatus(IReputationRegistry.Status.Retired);
        token.approve(address(registry), 1);
        vm.expectRevert(retired);
        registry.deposit(identity, 1);
        vm.expectRevert(retired);
        registry.ban(identity, CID);
        vm.prank(wallet);
        vm.expectRevert(retired);
        registry.retire(identity);
    }

    function test_retiringWithoutStake() public {
        bytes32 identity = register(KEY);
        vm.prank(vm.addr(KEY));
        registry.retire(identity);
        eq(registry.get(identity).releaseAt, 0, "nothing unbonds");
    }

    function test_aBanWithoutAppealRetires() public {
        bytes32 identity = register(KEY);
        uint64 until = uint64(block.timestamp) + WINDOW;
        vm.expectEmit(address(registry));
        emit IReputationRegistry.Banned(identity, until, CID);
        registry.ban(identity, CID);
        expectStatus(identity, IReputationRegistry.Status.Suspended);
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryTooEarly.selector, until
            )
        );
        registry.closeBan(identity);
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.Suspended));
        registry.decideBan(identity, false);
        pass(WINDOW);
        vm.prank(vm.addr(KEY));
        vm.expectRevert(
            abi.encodeWithSelector(
                IReputationRegistry.ReputationRegistryTooLate.selector, until
            )
        );
        registry.appeal(identity, CID);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.Retired(identity);
        registry.closeBan(identity);
        expectStatus(identity, IReputationRegistry.Status.Retired);
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.Retired));
        registry.closeBan(identity);
    }

    function test_anAppealIsDecided() public {
        for (uint256 lift = 0; lift < 2; lift++) {
            bytes32 identity = register(KEY + lift);
            registry.ban(identity, CID);
            vm.expectEmit(address(registry));
            emit IReputationRegistry.Appealed(identity, uint64(block.timestamp) + WINDOW, CID);
            vm.prank(vm.addr(KEY + lift));
            registry.appeal(identity, CID);
            expectStatus(identity, IReputationRegistry.Status.Appealed);
            registry.decideBan(identity, lift == 1);
            expectStatus(
                identity,
                lift == 1
                    ? IReputationRegistry.Status.Active
                    : IReputationRegistry.Status.Retired
            );
        }
    }

    function test_anUndecidedAppealLiftsTheBan() public {
        bytes32 identity = register(KEY);
        registry.ban(identity, CID);
        vm.prank(vm.addr(KEY));
        registry.appeal(identity, CID);
        pass(WINDOW);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.BanLifted(identity);
        registry.closeBan(identity);
        expectStatus(identity, IReputationRegistry.Status.Active);
    }

    function test_theOwnerLiftsABanWithoutAppeal() public {
        bytes32 identity = register(KEY);
        registry.ban(identity, CID);
        registry.decideBan(identity, true);
        expectStatus(identity, IReputationRegistry.Status.Active);
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.Active));
        registry.decideBan(identity, true);
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.Active));
        registry.closeBan(identity);
        vm.prank(vm.addr(KEY));
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.Active));
        registry.appeal(identity, CID);
    }

    function test_reputationIsTakenFromRoundsThatCount() public {
        bytes32 identity = register(KEY);
        Leaf memory leaf = Leaf(identity, vm.addr(KEY), 800e6, 0);
        bytes32[] memory none = new bytes32[](0);
        bytes memory refused =
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryBadProof.selector);
        RoundKey memory one = record(hashOf(leaf), 0);
        vm.expectRevert(refused);
        registry.anchor(one, leaf, none);
        pass(DELAY);
        vm.expectEmit(address(registry));
        emit IReputationRegistry.ReputationAnchored(identity, 1, 800e6);
        registry.anchor(one, leaf, none);
        eq(registry.reputationOf(identity), 800e6, "reputation");
        vm.expectRevert(
            abi.encodeWithSelector(IReputationRegistry.ReputationRegistryOldRound.selector, 1)
        );
        registry.anchor(one, leaf, none);
        leaf.reputation = 1000e6 + 1;
        RoundKey memory two = record(hashOf(leaf), 0);
        pass(DELAY);
        vm.expectRevert(refused);
        registry.anchor(two, leaf, none);
        leaf.identity = keccak256("nobody");
        vm.expectRevert(wrongStatus(IReputationRegistry.Status.None));
        registry.anchor(two, leaf, none);
    }
}

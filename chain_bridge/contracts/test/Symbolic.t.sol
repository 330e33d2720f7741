// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {ParityToken} from "../src/ParityToken.sol";
import {Penalty} from "../src/Penalty.sol";
import {ReputationRegistry} from "../src/ReputationRegistry.sol";
import {Rewards} from "../src/Rewards.sol";
import {RoundLedger} from "../src/RoundLedger.sol";

/// What halmos proves for all inputs: the arithmetic of slashing and of claims. This contract
/// stands in for the ledger (every root counts) and for a wallet (it consents to everything).
contract SymbolicTest {
    ParityToken private token;
    Rewards public rewards;
    ReputationRegistry private registry;
    bytes32 private identity;

    function setUp() public {
        token = new ParityToken(address(this), 1e29);
        token.mint(address(this), 1e29);
        rewards = new Rewards(token, address(this));
        registry = new ReputationRegistry(
            token,
            RoundLedger(address(this)),
            address(this),
            address(this),
            IReputationRegistry.Parameters(30 days, 7 days, 100e18)
        );
        identity = registry.register("key", address(this), block.timestamp, "", new bytes(64));
        token.approve(address(rewards), type(uint256).max);
        token.approve(address(registry), type(uint256).max);
    }

    function isActive(RoundKey calldata, bytes32) external pure returns (bool) {
        return true;
    }

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }

    /// P-32 never takes more than there is, and no product overflows.
    function check_penaltyIsBounded(
        uint128 stake,
        uint128 base,
        uint256 severity,
        uint256 reputation
    ) public pure {
        if (severity > Penalty.SEVERITY_ONE || reputation > Penalty.REPUTATION_MAX) return;
        assert(Penalty.amount(stake, base, severity, reputation) <= stake);
    }

    /// Two claims of any amounts in any order pay the highest amount, once, from the pool.
    function check_claimsPayOnce(uint256 funded, uint256 first, uint256 second) public {
        if (funded > 1e29) return;
        rewards.fund(funded);
        uint256 paid;
        if (claim(first)) paid = first;
        if (claim(second)) {
            assert(second > paid);
            paid = second;
        }
        assert(rewards.totalClaimed() == paid && paid <= rewards.funded());
        assert(token.balanceOf(address(1)) == paid);
        assert(token.balanceOf(address(rewards)) == rewards.funded() - paid);
    }

    /// After any deposit, unbonding and slash: stake + slashed == deposited. Severities are 1
    /// and a half: for any other the penalty is bounded above, and 256-bit division by a
    /// symbolic product is beyond the solver.
    function check_slashConserves(uint256 amount, uint256 out, bool half) public {
        if (amount == 0 || amount > 1e29 || out == 0 || out > amount) return;
        registry.deposit(identity, amount);
        registry.unbond(identity, out);
        registry.slash(identity, half ? 500_000 : 1_000_000, "e");
        IReputationRegistry.Identity memory self = registry.get(identity);
        uint256 penalty = half ? 50e18 : 100e18;
        assert(self.held == (amount < penalty ? amount : penalty));
        assert(uint256(self.stake) + self.unbonding + self.held == amount);
        IReputationRegistry.Totals memory sums = registry.totals();
        assert(sums.staked + sums.slashed == sums.deposited && sums.slashed == self.held);
    }

    function claim(uint256 cumulative) private returns (bool) {
        Leaf memory leaf = Leaf("who", address(1), 0, cumulative);
        try rewards.claim(RoundKey(1, 0, 0), leaf, new bytes32[](0)) {
            return true;
        } catch {
            return false;
        }
    }
}

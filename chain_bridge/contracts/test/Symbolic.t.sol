// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Penalty} from "../src/Penalty.sol";

/// What halmos proves for all inputs. The arithmetic is that of the contracts, and small
/// enough for a solver; forge's fuzzing and invariants play the contracts themselves.
contract SymbolicTest {
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

    /// Split over stake and unbonding, a slash takes its amount and goes below 0 nowhere.
    function check_slashIsSplit(uint128 stake, uint128 unbonding, uint256 amount) public pure {
        uint256 exposed = uint256(stake) + unbonding;
        if (exposed > type(uint128).max || amount > exposed) return;
        uint256 fromStake = amount < stake ? amount : stake;
        assert(amount - fromStake <= unbonding);
        assert(stake - fromStake + (unbonding - (amount - fromStake)) == exposed - amount);
    }

    /// A claim that passes keeps claimed <= funded, and its amount fits what it is cast to.
    function check_claimIsFunded(
        uint120 funded,
        uint120 claimed,
        uint256 cumulative,
        uint256 before
    ) public pure {
        if (claimed > funded || cumulative <= before) return;
        uint256 amount = cumulative - before;
        if (amount > uint256(funded - claimed)) return;
        assert(uint120(amount) == amount);
        assert(claimed + uint120(amount) <= funded);
    }

    /// Claims in any order pay what the highest cumulative amount says, once.
    function check_cumulativePaysOnce(uint256 first, uint256 second) public pure {
        uint256 paid = first;
        if (second > first) paid += second - first;
        assert(paid == (second > first ? second : first));
    }
}

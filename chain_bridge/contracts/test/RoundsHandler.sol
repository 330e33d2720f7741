// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRoundLedger} from "../src/IRoundLedger.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {Clock} from "./Base.sol";

/// Plays owner, an unreliable publisher, challengers and claimants in random order, and keeps
/// books of its own. Nothing in here reverts: what must not happen sets `broken`.
contract RoundsHandler is Clock {
    uint256 public constant PARTICIPANTS = 4;

    /// What must not have happened; empty while all is well.
    string public broken;
    RoundKey[] private _keys;
    uint256[] public steps;
    bytes32[] public roots;
    bytes32[] public states;
    bool[] public wasActive;
    bool[] public disabled;
    uint256[4] public highest;
    uint256 public put;
    uint256 public claims;
    uint256 public disputes;

    constructor() {
        deploy();
        token.mint(address(this), 1e6 * UNIT);
        token.approve(address(ledger), type(uint256).max);
        token.approve(address(rewards), type(uint256).max);
        _push(RoundKey(0, 0, 0), 0);
    }

    function contracts() external view returns (address, address, address) {
        return (address(token), address(ledger), address(rewards));
    }

    function rounds() external view returns (uint256) {
        return _keys.length;
    }

    function isActive(uint256 round) public view returns (bool) {
        return ledger.isActive(_keys[round], roots[round]);
    }

    function putIn(uint256 amount) external inTime {
        amount = amount % (1000 * UNIT);
        rewards.fund(amount);
        put += amount;
    }

    function wait(uint256 time) external inTime {
        pass(time % (2 * DELAY));
    }

    /// Honest roots grow; a lying publisher's grants anything and states a total of 0.
    function publish(uint256 step, bool honest) external inTime {
        if (_keys.length > 8) return;
        step = honest ? _keys.length : step % 60 + 1;
        uint256 total = honest ? 100 * UNIT * step : 0;
        if (total > rewards.funded()) return;
        RoundKey memory key = record(rootOf(step), total);
        _push(key, step);
    }

    function publishAgain(uint256 round, uint256 step) external inTime {
        round = round % _keys.length;
        IRoundLedger.Record memory made = recordFor(rootOf(step % 60), 0);
        made.round = uint64(round);
        if (round != 0) made.previous = ledger.stateOf(made.round - 1);
        try ledger.recordRound(made) {
            broken = "a second root for a round";
        } catch {}
    }

    function claim(uint256 round, uint256 who, uint256 step) external inTime {
        (round, who) = (round % _keys.length, who % PARTICIPANTS);
        // Mostly the right leaf, now and then one of another round.
        step = step % 8 == 0 ? step % 60 : steps[round];
        Leaf memory leaf = leafOf(who, step);
        uint256 before = token.balanceOf(leaf.account);
        bool live = isActive(round) && step == steps[round];
        try rewards.claim(_keys[round], leaf, proofOf(who, step)) {
            claims++;
            if (!live) broken = "a root that does not count was paid";
            if (token.balanceOf(leaf.account) != leaf.cumulative) broken = "not all so far";
            if (leaf.cumulative > highest[who]) highest[who] = leaf.cumulative;
        } catch {
            uint256 left = rewards.funded() - rewards.totalClaimed();
            bool due = leaf.cumulative > before && leaf.cumulative - before <= left;
            if (live && due) broken = "a due claim was refused";
        }
    }

    /// Rare, or no root would ever count.
    function dispute(uint256 round, uint256 luck) external inTime {
        if (luck % 2 != 0) return;
        round = round % _keys.length;
        bool due = isActive(round);
        try ledger.dispute(_keys[round], roots[round], CID) {
            disputes++;
            if (due) broken = "a root that counts was disputed";
        } catch {}
    }

    function resolve(bool upheld) external inTime {
        uint64 round = ledger.disputedRound();
        if (round == 0) return;
        ledger.resolve(round, upheld);
        if (upheld) disabled[round] = true;
        else put += BOND;
    }

    /// Rare, for the same reason.
    function disable(uint256 round, uint256 luck) external inTime {
        if (luck % 8 != 0) return;
        round = round % _keys.length;
        bool due = isActive(round);
        try ledger.disable(_keys[round], roots[round]) {
            disabled[round] = true;
            if (due) broken = "a root that counts was disabled";
        } catch {}
    }

    /// Looks at every round after each call: what counted once must count for ever.
    function look() external inTime {
        for (uint256 round = 1; round < _keys.length; round++) {
            bool active = isActive(round);
            if (wasActive[round] && !active) broken = "a root stopped counting";
            if (active && disabled[round]) broken = "a disabled root counts";
            if (active && block.timestamp < _keys[round].activeAt) broken = "too early";
            if (active) wasActive[round] = true;
            if (ledger.stateOf(uint64(round)) != states[round]) broken = "a root changed";
        }
    }

    function _push(RoundKey memory key, uint256 step) private {
        _keys.push(key);
        steps.push(step);
        roots.push(rootOf(step));
        states.push(ledger.stateOf(key.round));
        wasActive.push(false);
        disabled.push(false);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParityToken} from "../src/ParityToken.sol";
import {Rewards} from "../src/Rewards.sol";
import {RoundLedger} from "../src/RoundLedger.sol";
import {RoundsHandler} from "./RoundsHandler.sol";

contract RoundsInvariantTest {
    RoundsHandler private handler;
    ParityToken private token;
    RoundLedger private ledger;
    Rewards private rewards;

    function setUp() public {
        handler = new RoundsHandler();
        (address a, address b, address c) = handler.contracts();
        (token, ledger, rewards) = (ParityToken(a), RoundLedger(b), Rewards(c));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// One campaign for all of them: each would play the same calls again.
    function invariant_rounds() public {
        _claimedIsFunded();
        _paidAtMostOnce();
        _oneRootARoundAndItsLife();
        _bondsAreKept();
    }

    function _claimedIsFunded() private view {
        require(rewards.totalClaimed() <= rewards.funded(), "claimed > funded");
        require(rewards.funded() == handler.put(), "funded is what was put in");
        uint256 left = rewards.funded() - rewards.totalClaimed();
        require(token.balanceOf(address(rewards)) == left, "the pool holds the rest");
    }

    function _paidAtMostOnce() private view {
        uint256 sum;
        for (uint256 who = 0; who < 4; who++) {
            bytes32 identity = keccak256(abi.encode("node", who));
            uint256 paid = token.balanceOf(
                address(uint160(uint256(keccak256(abi.encode("account", who)))))
            );
            require(paid == handler.highest(who), "paid is the highest cumulative amount");
            require(paid == rewards.claimed(identity), "and on the books");
            sum += paid;
        }
        require(sum == rewards.totalClaimed(), "the sum is on the books");
    }

    function _oneRootARoundAndItsLife() private {
        handler.look();
        string memory broken = handler.broken();
        require(bytes(broken).length == 0, broken);
        require(ledger.nextRound() == handler.rounds(), "rounds are counted");
    }

    function _bondsAreKept() private view {
        uint256 bond = ledger.disputedRound() == 0 ? 0 : ledger.disputeBond();
        require(token.balanceOf(address(ledger)) == bond, "bond");
    }
}

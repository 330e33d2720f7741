// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IRoundLedger} from "../src/IRoundLedger.sol";
import {RoundKey} from "../src/IRounds.sol";
import {BaseTest} from "./Base.sol";

contract DisputeTest is BaseTest {
    address private constant ALICE = address(0xa11ce);
    address private constant BOB = address(0xb0b);

    function setUp() public override {
        super.setUp();
        fund(1e6 * UNIT);
        for (uint256 i = 0; i < 2; i++) {
            address who = i == 0 ? ALICE : BOB;
            token.mint(who, 100 * UNIT);
            vm.prank(who);
            token.approve(address(ledger), type(uint256).max);
        }
    }

    function dispute(address who, RoundKey memory key, uint256 step) private {
        vm.prank(who);
        ledger.dispute(key, rootOf(step), CID);
    }

    function test_aDisputeHoldsBackEveryLaterRound() public {
        RoundKey memory one = recordStep(1);
        pass(DELAY);
        RoundKey memory two = recordStep(2);
        RoundKey memory three = recordStep(3);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.RoundDisputed(2, ALICE, CID);
        dispute(ALICE, two, 2);
        pass(10 * DELAY);
        RoundKey memory four = recordStep(4);
        pass(10 * DELAY);
        require(ledger.isActive(one, rootOf(1)), "what counted goes on counting");
        require(!ledger.isActive(two, rootOf(2)), "disputed");
        require(!ledger.isActive(three, rootOf(3)), "after it");
        require(!ledger.isActive(four, rootOf(4)), "recorded meanwhile");
        require(ledger.disputedRound() == 2 && ledger.challenger() == ALICE, "view");
        eq(token.balanceOf(ALICE), 90 * UNIT, "bond");
    }

    function test_upheld() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        dispute(ALICE, one, 1);
        pass(10 * DELAY);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.RoundDisabled(1);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.DisputeResolved(1, ALICE, true);
        ledger.resolve(1, true);
        eq(token.balanceOf(ALICE), 100 * UNIT, "the bond is back");
        require(!ledger.isActive(two, rootOf(2)), "the delay starts again");
        (uint64 from, uint64 until) = ledger.quietPeriod();
        require(from == 1 && until == block.timestamp + DELAY, "quiet");
        pass(DELAY);
        require(!ledger.isActive(one, rootOf(1)), "never");
        require(ledger.isActive(two, rootOf(2)), "the rest");
    }

    function test_dismissed() public {
        RoundKey memory one = recordStep(1);
        dispute(ALICE, one, 1);
        pass(10 * DELAY);
        ledger.resolve(1, false);
        eq(rewards.funded(), 1e6 * UNIT + BOND, "the bond is in the pool");
        eq(token.balanceOf(ALICE), 90 * UNIT, "and gone");
        require(!ledger.isActive(one, rootOf(1)), "the delay starts again");
        dispute(BOB, one, 1);
        ledger.resolve(1, false);
        pass(DELAY);
        require(ledger.isActive(one, rootOf(1)), "counts");
        vm.prank(BOB);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerAlreadyActive.selector, 1)
        );
        ledger.dispute(one, rootOf(1), CID);
    }

    function test_anEarlierRoundTakesTheDisputeOver() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        dispute(ALICE, two, 2);
        dispute(BOB, one, 1);
        eq(token.balanceOf(ALICE), 100 * UNIT, "the first bond is back");
        require(ledger.disputedRound() == 1 && ledger.challenger() == BOB, "taken over");
        vm.prank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerAlreadyDisputed.selector, 1)
        );
        ledger.dispute(two, rootOf(2), CID);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerNotDisputed.selector, 2)
        );
        ledger.resolve(2, true);
    }

    function test_aRunningQuietPeriodIsNotCutShort() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        dispute(ALICE, one, 1);
        ledger.resolve(1, false);
        pass(DELAY / 2);
        dispute(ALICE, two, 2);
        ledger.resolve(2, false);
        (uint64 from,) = ledger.quietPeriod();
        eq(from, 1, "round 1 is still quiet");
        require(!ledger.isActive(one, rootOf(1)), "still quiet");
        pass(DELAY);
        RoundKey memory three = recordStep(3);
        dispute(ALICE, three, 3);
        ledger.resolve(3, false);
        (from,) = ledger.quietPeriod();
        eq(from, 3, "a new period");
        require(ledger.isActive(two, rootOf(2)), "what counts is not touched");
    }

    function test_anEarlierDisputeWidensTheQuietPeriod() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        dispute(ALICE, two, 2);
        ledger.resolve(2, false);
        dispute(ALICE, one, 1);
        ledger.resolve(1, false);
        (uint64 from,) = ledger.quietPeriod();
        eq(from, 1, "both are quiet");
    }

    function test_disablingTheDisputedRoundUpholds() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        dispute(ALICE, one, 1);
        pass(10 * DELAY);
        ledger.disable(two, rootOf(2));
        require(ledger.disputedRound() == 1, "another round does not close it");
        ledger.disable(one, rootOf(1));
        require(ledger.disputedRound() == 0 && ledger.challenger() == address(0), "closed");
        eq(token.balanceOf(ALICE), 100 * UNIT, "the bond is back");
    }

    function test_refusals() public {
        RoundKey memory one = recordStep(1);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.RoundLedgerBadCid.selector, 0));
        ledger.dispute(one, rootOf(1), "");
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerUnknownRound.selector, 1)
        );
        ledger.dispute(one, rootOf(2), CID);
        vm.expectRevert();
        ledger.dispute(one, rootOf(1), CID);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerNotDisputed.selector, 0)
        );
        ledger.resolve(0, true);
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER)
        );
        ledger.resolve(1, true);
    }
}

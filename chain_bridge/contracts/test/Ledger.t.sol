// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "../src/Governed.sol";
import {IRoundLedger} from "../src/IRoundLedger.sol";
import {RoundKey} from "../src/IRounds.sol";
import {RoundLedger} from "../src/RoundLedger.sol";
import {BaseTest} from "./Base.sol";

contract LedgerTest is BaseTest {
    function setUp() public override {
        super.setUp();
        fund(1e6 * UNIT);
    }

    function test_deployment() public {
        require(ledger.publisher() == address(this) && !ledger.paused(), "roles");
        require(address(rewards.ledger()) == address(ledger), "pool");
        eq(ledger.nextRound(), 1, "first round");
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerBadDelay.selector, 30 days)
        );
        new RoundLedger(token, address(this), address(this), 30 days + 1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerBadPublisher.selector)
        );
        new RoundLedger(token, address(this), address(0), 0, 0);
    }

    function test_genesisTiesToChainAndContract() public {
        RoundLedger other = new RoundLedger(token, address(this), address(this), 0, 0);
        bytes32 expected = keccak256(abi.encode(block.chainid, address(ledger)));
        eq(uint256(ledger.stateOf(0)), uint256(expected) & ~uint256(1), "genesis");
        require(ledger.stateOf(0) != other.stateOf(0), "two ledgers, two histories");
    }

    function test_recordsInOrder() public {
        IRoundLedger.Record memory first = recordFor(rootOf(1), 100 * UNIT);
        uint64 activeAt = uint64(block.timestamp) + DELAY;
        bytes32 state = keccak256(abi.encode(ledger.recordHash(first), rootOf(1), activeAt));
        state = bytes32(uint256(state) & ~uint256(1));
        vm.expectEmit(address(ledger));
        emit IRoundLedger.RoundRecorded(
            1, state, first.previous, first.modelHash, rootOf(1), 100 * UNIT, activeAt, CID, CID
        );
        ledger.recordRound(first);
        require(ledger.stateOf(1) == state && ledger.nextRound() == 2, "state");
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.RoundLedgerWrongRound.selector, 2));
        ledger.recordRound(first);
        IRoundLedger.Record memory later = recordFor(rootOf(2), 0);
        later.round = 3;
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.RoundLedgerWrongRound.selector, 2));
        ledger.recordRound(later);
    }

    function testFuzz_otherHistoryIsRefused(bytes32 previous) public {
        recordStep(1);
        IRoundLedger.Record memory second = recordFor(rootOf(2), 0);
        vm.assume(previous != second.previous);
        second.previous = previous;
        vm.expectRevert(
            abi.encodeWithSelector(
                IRoundLedger.RoundLedgerWrongPrevious.selector, ledger.stateOf(1)
            )
        );
        ledger.recordRound(second);
    }

    function testFuzz_onlyThePublisherRecords(address sender) public {
        vm.assume(sender != address(this));
        IRoundLedger.Record memory made = recordFor(rootOf(1), 0);
        vm.prank(sender);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerNotPublisher.selector, sender)
        );
        ledger.recordRound(made);
    }

    function testFuzz_totalIsFunded(uint256 total) public {
        IRoundLedger.Record memory made = recordFor(rootOf(1), total);
        uint256 funded = rewards.funded();
        if (total > funded) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRoundLedger.RoundLedgerUnfunded.selector, total - funded
                )
            );
        }
        ledger.recordRound(made);
    }

    function testFuzz_cidLength(uint8 model, uint8 scores) public {
        IRoundLedger.Record memory made = recordFor(rootOf(1), 0);
        (made.modelCid, made.scoresCid) = (new bytes(model), new bytes(scores));
        bool modelIsRight = model != 0 && model <= 64;
        if (!modelIsRight || scores == 0 || scores > 64) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRoundLedger.RoundLedgerBadCid.selector, modelIsRight ? scores : model
                )
            );
        }
        ledger.recordRound(made);
    }

    function test_noRootIsRefused() public {
        IRoundLedger.Record memory made = recordFor(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundLedger.RoundLedgerBadRoot.selector));
        ledger.recordRound(made);
    }

    function testFuzz_aRootCountsAfterTheDelay(uint32 time) public {
        RoundKey memory key = recordStep(1);
        pass(time);
        require(ledger.isActive(key, rootOf(1)) == (time >= DELAY), "delay");
    }

    function testFuzz_onlyWhatWasRecordedCounts(RoundKey memory key, bytes32 root) public {
        RoundKey memory right = recordStep(1);
        pass(DELAY);
        bool same = keccak256(abi.encode(right, rootOf(1))) == keccak256(abi.encode(key, root));
        require(ledger.isActive(key, root) == same, "made up");
        key.round = 1;
        same = keccak256(abi.encode(right, rootOf(1))) == keccak256(abi.encode(key, root));
        require(ledger.isActive(key, root) == same, "made up for round 1");
    }

    function test_ownerDisablesBeforeTheDelay() public {
        RoundKey memory key = recordStep(1);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.RoundDisabled(1);
        ledger.disable(key, rootOf(1));
        pass(DELAY);
        require(!ledger.isActive(key, rootOf(1)) && ledger.isDisabled(1), "disabled");
        bytes memory unknown =
            abi.encodeWithSelector(IRoundLedger.RoundLedgerUnknownRound.selector, 1);
        vm.expectRevert(unknown);
        ledger.disable(key, rootOf(1));
        RoundKey memory next = recordStep(2);
        pass(DELAY);
        require(ledger.isActive(next, rootOf(2)), "the next round counts");
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerAlreadyActive.selector, 2)
        );
        ledger.disable(next, rootOf(2));
    }

    function test_ownerNamesThePublisher() public {
        vm.expectEmit(address(ledger));
        emit IRoundLedger.PublisherChanged(address(this), STRANGER);
        ledger.setPublisher(STRANGER);
        require(ledger.publisher() == STRANGER, "publisher");
        IRoundLedger.Record memory made = recordFor(rootOf(1), 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRoundLedger.RoundLedgerNotPublisher.selector, address(this)
            )
        );
        ledger.recordRound(made);
        vm.prank(STRANGER);
        ledger.recordRound(made);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundLedger.RoundLedgerBadPublisher.selector)
        );
        ledger.setPublisher(address(0));
    }

    function test_pauseStopsRecordsAndDisputes() public {
        RoundKey memory key = recordStep(1);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.Paused(address(this));
        ledger.pause();
        require(ledger.paused(), "paused");
        bytes memory stopped =
            abi.encodeWithSelector(IRoundLedger.RoundLedgerPaused.selector);
        IRoundLedger.Record memory made = recordFor(rootOf(2), 0);
        vm.expectRevert(stopped);
        ledger.recordRound(made);
        vm.expectRevert(stopped);
        ledger.dispute(key, rootOf(1), CID);
        vm.expectEmit(address(ledger));
        emit IRoundLedger.Unpaused(address(this));
        ledger.unpause();
        ledger.recordRound(made);
    }

    function test_nobodyRenounces() public {
        vm.expectRevert(abi.encodeWithSelector(Governed.GovernedNoRenounce.selector));
        ledger.renounceOwnership();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {Leaves} from "../src/Leaves.sol";
import {Rewards} from "../src/Rewards.sol";
import {BaseTest} from "./Base.sol";

contract RewardsTest is BaseTest {
    function setUp() public override {
        super.setUp();
        fund(300 * UNIT);
    }

    function claim(RoundKey memory key, uint256 who, uint256 step) private {
        rewards.claim(key, leafOf(who, step), proofOf(who, step));
    }

    function test_aClaimPaysEverythingSoFar() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        pass(DELAY);
        vm.expectEmit(address(rewards));
        emit Rewards.Claimed(leafOf(0, 2).identity, accountOf(0), 2, 50 * UNIT);
        claim(two, 0, 2);
        claim(one, 1, 1);
        claim(two, 1, 2);
        eq(token.balanceOf(accountOf(0)), 50 * UNIT, "both rounds in one claim");
        eq(token.balanceOf(accountOf(1)), 50 * UNIT, "one by one");
        eq(rewards.totalClaimed(), 100 * UNIT, "total");
        eq(rewards.claimed(leafOf(0, 2).identity), 50 * UNIT, "claimed");
    }

    function test_nothingIsPaidTwice() public {
        RoundKey memory one = recordStep(1);
        RoundKey memory two = recordStep(2);
        pass(DELAY);
        claim(two, 0, 2);
        bytes memory nothing =
            abi.encodeWithSelector(Rewards.RewardsNothingToClaim.selector, 50 * UNIT);
        vm.expectRevert(nothing);
        claim(two, 0, 2);
        vm.expectRevert(nothing);
        claim(one, 0, 1);
    }

    function testFuzz_onlyTheLeafAsItIs(uint8 field, uint256 value, bytes32 sibling) public {
        RoundKey memory one = recordStep(1);
        pass(DELAY);
        Leaf memory leaf = leafOf(0, 1);
        bytes32[] memory proof = proofOf(0, 1);
        bytes32 before = keccak256(abi.encode(leaf, proof));
        if (field % 5 == 0) leaf.identity = bytes32(value);
        else if (field % 5 == 1) leaf.account = address(uint160(value));
        else if (field % 5 == 2) leaf.reputation = value;
        else if (field % 5 == 3) leaf.cumulative = value;
        else proof[value % 2] = sibling;
        if (keccak256(abi.encode(leaf, proof)) != before) {
            vm.expectRevert(abi.encodeWithSelector(Rewards.RewardsNotGranted.selector, 1));
        }
        rewards.claim(one, leaf, proof);
    }

    function test_notBeforeTheDelay() public {
        RoundKey memory one = recordStep(1);
        vm.expectRevert(abi.encodeWithSelector(Rewards.RewardsNotGranted.selector, 1));
        claim(one, 0, 1);
    }

    function testFuzz_aClaimNeverExceedsThePool(uint256 cumulative) public {
        Leaf memory leaf = leafOf(0, 1);
        leaf.cumulative = cumulative % (1000 * UNIT) + 1;
        RoundKey memory one = record(hashOf(leaf), 0);
        pass(DELAY);
        if (leaf.cumulative > 300 * UNIT) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    Rewards.RewardsUnfunded.selector, leaf.cumulative - 300 * UNIT
                )
            );
        }
        rewards.claim(one, leaf, new bytes32[](0));
        require(rewards.totalClaimed() <= rewards.funded(), "solvent");
    }

    function test_fundingIsCounted() public {
        token.mint(address(this), 5);
        token.approve(address(rewards), 5);
        vm.expectEmit(address(rewards));
        emit Rewards.Funded(address(this), 5, 300 * UNIT + 5);
        rewards.fund(5);
        eq(rewards.funded(), 300 * UNIT + 5, "funded");
        eq(token.balanceOf(address(rewards)), 300 * UNIT + 5, "balance");
        vm.expectRevert();
        rewards.fund(type(uint120).max);
        vm.expectRevert();
        rewards.fund(1);
    }

    function test_pauseStopsClaimsAndFunding() public {
        RoundKey memory one = recordStep(1);
        pass(DELAY);
        vm.expectEmit(address(rewards));
        emit Rewards.Paused(address(this));
        rewards.pause();
        require(rewards.paused(), "paused");
        bytes memory stopped = abi.encodeWithSelector(Rewards.RewardsPaused.selector);
        vm.expectRevert(stopped);
        claim(one, 0, 1);
        vm.expectRevert(stopped);
        rewards.fund(1);
        vm.expectEmit(address(rewards));
        emit Rewards.Unpaused(address(this));
        rewards.unpause();
        claim(one, 0, 1);
    }

    function testFuzz_rootsAreOpenZeppelins(Leaf calldata leaf, bytes32[] calldata proof)
        public
        pure
    {
        if (proof.length > 32) proof = proof[:32];
        bytes32 expected = MerkleProof.processProofCalldata(proof, hashOf(leaf));
        require(Leaves.rootOf(leaf, proof) == expected, "another root");
    }

    function test_aLongProofIsRefused() public {
        RoundKey memory one = recordStep(1);
        vm.expectRevert(abi.encodeWithSelector(Leaves.LeavesProofTooLong.selector, 33));
        rewards.claim(one, leafOf(0, 1), new bytes32[](33));
    }
}

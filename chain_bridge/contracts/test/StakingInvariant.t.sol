// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {ParityToken} from "../src/ParityToken.sol";
import {ReputationRegistry} from "../src/ReputationRegistry.sol";
import {Rewards} from "../src/Rewards.sol";
import {StakingHandler} from "./StakingHandler.sol";

contract StakingInvariantTest {
    StakingHandler private handler;
    ParityToken private token;
    ReputationRegistry private registry;
    Rewards private rewards;

    function setUp() public {
        handler = new StakingHandler();
        (address a, address b, address c) = handler.contracts();
        (token, registry, rewards) = (ParityToken(a), ReputationRegistry(b), Rewards(c));
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// One campaign for both: each would play the same calls again.
    function invariant_staking() public {
        _stakeIsConserved();
        _retiredForGoodAndInTime();
    }

    function _stakeIsConserved() private view {
        IReputationRegistry.Totals memory sums = registry.totals();
        require(sums.staked + sums.slashed + sums.withdrawn == sums.deposited, "conserved");
        require(sums.deposited == handler.deposited(), "deposited");
        (uint256 staked, uint256 held, uint256 paid) = (0, 0, 0);
        for (uint256 who = 0; who < 3; who++) {
            IReputationRegistry.Identity memory self = registry.get(handler.identities(who));
            staked += uint256(self.stake) + self.unbonding;
            held += self.held;
            paid += token.balanceOf(handler.wallets(who));
        }
        require(sums.staked == staked, "staked is the sum of the identities");
        require(sums.withdrawn == paid, "withdrawn is what the wallets have");
        require(sums.slashed == held + handler.settled(), "slashed is held or settled");
        require(token.balanceOf(address(registry)) == staked + held, "and all is there");
        require(rewards.funded() == handler.settled(), "what is settled is in the pool");
    }

    function _retiredForGoodAndInTime() private {
        handler.look();
        string memory broken = handler.broken();
        require(bytes(broken).length == 0, broken);
    }
}

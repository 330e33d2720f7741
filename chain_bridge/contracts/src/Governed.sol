// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title An owner in two steps who cannot leave the contract without one
/// @notice A contract that holds other people's money and can be paused must keep somebody
/// who can unpause it, so renouncing is refused. The owner should be a multisig.
abstract contract Governed is Ownable2Step {
    error GovernedNoRenounce();

    /// @notice Always reverts: a paused contract without an owner would keep its money for ever.
    /// @custom:caller nobody
    function renounceOwnership() public pure override {
        revert GovernedNoRenounce();
    }
}

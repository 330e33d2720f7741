// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The token that stakes and rewards are counted in
/// @notice ERC-20 with 18 decimals, permit (ERC-2612) and a supply cap fixed at deployment.
/// Transfers cannot be paused: nobody has power over tokens that lie in a wallet. An owner
/// who renounces freezes the supply for ever.
contract ParityToken is ERC20Capped, ERC20Permit, Ownable2Step {
    /// @param initialOwner Who may mint.
    /// @param supplyCap The largest supply, in units of 1e-18 token; at least 1.
    constructor(address initialOwner, uint256 supplyCap)
        ERC20("Parity", "PARITY")
        ERC20Permit("Parity")
        ERC20Capped(supplyCap)
        Ownable(initialOwner)
    {}

    /// @notice Create tokens, never above the cap.
    /// @param to Who receives them.
    /// @param amount How many, in units of 1e-18 token.
    /// @custom:caller owner
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @dev Both parents move balances here; the cap checks mints.
    function _update(address from, address to, uint256 value)
        internal
        override(ERC20, ERC20Capped)
    {
        super._update(from, to, value);
    }
}

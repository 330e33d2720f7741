// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BaseTest} from "./Base.sol";

contract TokenTest is BaseTest {
    function test_has18DecimalsAndACap() public view {
        eq(token.decimals(), 18, "decimals");
        eq(token.cap(), 1e11 * UNIT, "cap");
        eq(token.totalSupply(), 0, "nothing is minted at deployment");
    }

    function test_ownerMintsUpToTheCap() public {
        token.mint(STRANGER, token.cap());
        eq(token.balanceOf(STRANGER), token.cap(), "balance");
        vm.expectRevert(
            abi.encodeWithSelector(
                ERC20Capped.ERC20ExceededCap.selector, token.cap() + 1, token.cap()
            )
        );
        token.mint(STRANGER, 1);
    }

    function test_strangerCannotMint() public {
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER)
        );
        token.mint(STRANGER, 1);
    }

    function test_renouncingFreezesTheSupply() public {
        token.renounceOwnership();
        vm.expectRevert();
        token.mint(STRANGER, 1);
    }

    function testFuzz_permit(uint256 key, uint256 amount) public {
        key = key % 1e30 + 1;
        address holder = vm.addr(key);
        bytes32 kind = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        bytes32 inner =
            keccak256(abi.encode(kind, holder, STRANGER, amount, 0, block.timestamp));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(
            key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), inner))
        );
        token.permit(holder, STRANGER, amount, block.timestamp, v, r, s);
        eq(token.allowance(holder, STRANGER), amount, "allowance");
        vm.expectRevert();
        token.permit(holder, STRANGER, amount, block.timestamp, v, r, s);
    }
}

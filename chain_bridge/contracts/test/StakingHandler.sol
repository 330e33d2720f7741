// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {Clock} from "./Base.sol";

/// Plays owner, slasher and three wallets in random order, with books of its own.
contract StakingHandler is Clock {
    uint256 public constant PARTICIPANTS = 3;

    /// What must not have happened; empty while all is well.
    string public broken;
    bytes32[3] public identities;
    address[3] public wallets;
    bool[3] public retired;
    uint256 public deposited;
    uint256 public settled;
    uint256[3] public exposedAt;

    constructor() {
        deploy();
        token.mint(address(this), 1e6 * UNIT);
        token.approve(address(registry), type(uint256).max);
        for (uint256 i = 0; i < PARTICIPANTS; i++) {
            identities[i] = register(i + 1);
            wallets[i] = vm.addr(i + 1);
        }
    }

    function contracts() external view returns (address, address, address) {
        return (address(token), address(registry), address(rewards));
    }

    function wait(uint256 time) external inTime {
        pass(time % PERIOD);
    }

    function deposit(uint256 who, uint256 amount) external inTime {
        who = who % PARTICIPANTS;
        amount = amount % (300 * UNIT) + 1;
        try registry.deposit(identities[who], amount) {
            deposited += amount;
            if (retired[who]) broken = "a retired identity was staked for";
        } catch {}
    }

    function unbond(uint256 who, uint256 amount) external inTime {
        who = who % PARTICIPANTS;
        uint256 stake = registry.get(identities[who]).stake;
        if (stake == 0) return;
        vm.prank(wallets[who]);
        registry.unbond(identities[who], amount % stake + 1);
        exposedAt[who] = block.timestamp;
    }

    function withdraw(uint256 who) external inTime {
        who = who % PARTICIPANTS;
        vm.prank(wallets[who]);
        try registry.withdraw(identities[who]) {
            if (block.timestamp < exposedAt[who] + PERIOD) broken = "withdrawn too early";
        } catch {}
    }

    function slash(uint256 who, uint256 severity) external inTime {
        who = who % PARTICIPANTS;
        severity = severity % 1e6 + 1;
        bytes32 identity = identities[who];
        IReputationRegistry.Identity memory before = registry.get(identity);
        uint256 expected = uint256(PENALTY) * severity / 1e6;
        uint256 exposed = uint256(before.stake) + before.unbonding;
        if (expected > exposed) expected = exposed;
        registry.slash(identity, severity, CID);
        if (registry.get(identity).held - before.held != expected) broken = "not P-32";
    }

    function reverseSlash(uint256 who) external inTime {
        who = who % PARTICIPANTS;
        IReputationRegistry.Identity memory before = registry.get(identities[who]);
        try registry.reverseSlash(identities[who]) {
            if (block.timestamp >= before.heldUntil) broken = "given back too late";
        } catch {}
    }

    function settle(uint256 who) external inTime {
        who = who % PARTICIPANTS;
        IReputationRegistry.Identity memory before = registry.get(identities[who]);
        try registry.settle(identities[who]) {
            if (block.timestamp < before.heldUntil) broken = "settled too early";
            settled += before.held;
        } catch {}
    }

    function ban(uint256 who) external inTime {
        try registry.ban(identities[who % PARTICIPANTS], CID) {} catch {}
    }

    function appeal(uint256 who) external inTime {
        who = who % PARTICIPANTS;
        vm.prank(wallets[who]);
        try registry.appeal(identities[who], CID) {} catch {}
    }

    function decideBan(uint256 who, bool lift) external inTime {
        try registry.decideBan(identities[who % PARTICIPANTS], lift) {} catch {}
    }

    function closeBan(uint256 who) external inTime {
        try registry.closeBan(identities[who % PARTICIPANTS]) {} catch {}
    }

    /// Rare: it is for ever.
    function retire(uint256 who, uint256 luck) external inTime {
        if (luck % 16 != 0) return;
        who = who % PARTICIPANTS;
        uint256 stake = registry.get(identities[who]).stake;
        vm.prank(wallets[who]);
        try registry.retire(identities[who]) {
            if (stake != 0) exposedAt[who] = block.timestamp;
        } catch {}
    }

    function registerAgain(uint256 who) external inTime {
        who = who % PARTICIPANTS;
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(who + 1, registry.consentDigest("new", wallets[who], deadline));
        bytes memory consent = abi.encodePacked(r, s, v);
        try registry.register("new", wallets[who], deadline, consent, new bytes(64)) {
            broken = "a wallet came back";
        } catch {}
    }

    function look() external inTime {
        for (uint256 who = 0; who < PARTICIPANTS; who++) {
            bool out =
                registry.get(identities[who]).status == IReputationRegistry.Status.Retired;
            if (retired[who] && !out) broken = "a retired identity came back";
            retired[who] = out;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReputationRegistry} from "../src/IReputationRegistry.sol";
import {IRoundLedger} from "../src/IRoundLedger.sol";
import {Leaf, RoundKey} from "../src/IRounds.sol";
import {ParityToken} from "../src/ParityToken.sol";
import {ReputationRegistry} from "../src/ReputationRegistry.sol";
import {Rewards} from "../src/Rewards.sol";
import {RoundLedger} from "../src/RoundLedger.sol";

/// The cheatcodes that the tests use.
interface Vm {
    function addr(uint256 key) external returns (address);
    function sign(uint256 key, bytes32 digest) external returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function warp(uint256 time) external;
    function chainId(uint256 id) external;
    function assume(bool condition) external;
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;
}

/// One deployment of the four contracts. Whoever inherits this is owner, publisher and slasher.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant UNIT = 1e18;
    uint64 internal constant DELAY = 100;
    uint256 internal constant BOND = 10 * UNIT;
    uint64 internal constant PERIOD = 30 days;
    uint64 internal constant WINDOW = 7 days;
    uint128 internal constant PENALTY = uint128(100 * UNIT);
    address internal constant STRANGER = address(0xbad);
    bytes internal constant CID =
        hex"01551220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    ParityToken internal token;
    RoundLedger internal ledger;
    Rewards internal rewards;
    ReputationRegistry internal registry;

    function deploy() internal {
        vm.warp(1_700_000_000);
        token = new ParityToken(address(this), 1e11 * UNIT);
        ledger = new RoundLedger(token, address(this), address(this), DELAY, BOND);
        rewards = ledger.rewards();
        registry = new ReputationRegistry(
            token,
            ledger,
            address(this),
            address(this),
            IReputationRegistry.Parameters(PERIOD, WINDOW, PENALTY)
        );
    }

    function fund(uint256 amount) internal {
        token.mint(address(this), amount);
        token.approve(address(rewards), amount);
        rewards.fund(amount);
    }

    function leafOf(uint256 who, uint256 step) internal pure returns (Leaf memory) {
        bytes32 identity = keccak256(abi.encode("node", who));
        return Leaf(identity, accountOf(who), 500e6 + step, 25 * UNIT * step);
    }

    function accountOf(uint256 who) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("account", who)))));
    }

    function hashOf(Leaf memory leaf) internal pure returns (bytes32) {
        bytes32 inner =
            keccak256(abi.encode(leaf.identity, leaf.account, leaf.reputation, leaf.cumulative));
        return keccak256(abi.encode(inner));
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    /// The root over the leaves of participants 0 to 3 after so many steps.
    function rootOf(uint256 step) internal pure returns (bytes32) {
        return pair(
            pair(hashOf(leafOf(0, step)), hashOf(leafOf(1, step))),
            pair(hashOf(leafOf(2, step)), hashOf(leafOf(3, step)))
        );
    }

    function proofOf(uint256 who, uint256 step) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](2);
        proof[0] = hashOf(leafOf(who ^ 1, step));
        uint256 other = who < 2 ? 2 : 0;
        proof[1] = pair(hashOf(leafOf(other, step)), hashOf(leafOf(other + 1, step)));
    }

    function recordFor(bytes32 root, uint256 total)
        internal
        view
        returns (IRoundLedger.Record memory)
    {
        uint64 round = ledger.nextRound();
        bytes32 previous = ledger.stateOf(round - 1);
        return IRoundLedger.Record(round, previous, keccak256("model"), root, total, CID, CID);
    }

    /// Record the next round and return what shows it.
    function record(bytes32 root, uint256 total) internal returns (RoundKey memory) {
        IRoundLedger.Record memory made = recordFor(root, total);
        ledger.recordRound(made);
        return RoundKey(made.round, uint64(block.timestamp) + DELAY, ledger.recordHash(made));
    }

    function recordStep(uint256 step) internal returns (RoundKey memory) {
        return record(rootOf(step), 100 * UNIT * step);
    }

    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    /// Register a wallet with this key; the node's signature is only data to the contract.
    function register(uint256 key) internal returns (bytes32) {
        bytes32 nodeKey = keccak256(abi.encode("key", key));
        address wallet = vm.addr(key);
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, registry.consentDigest(nodeKey, wallet, deadline));
        bytes memory consent = abi.encodePacked(r, s, v);
        return registry.register(nodeKey, wallet, deadline, consent, new bytes(64));
    }

    function deposit(bytes32 identity, uint256 amount) internal {
        token.mint(address(this), amount);
        token.approve(address(registry), amount);
        registry.deposit(identity, amount);
    }

    function eq(uint256 came, uint256 expected, string memory what) internal pure {
        require(came == expected, what);
    }
}

/// A handler keeps the time itself: forge forgets vm.warp between the calls of a campaign.
abstract contract Clock is Base {
    uint256 private time;

    modifier inTime() {
        if (time != 0) vm.warp(time);
        _;
        time = block.timestamp;
    }
}

/// What every test with one deployment starts from.
abstract contract BaseTest is Base {
    function setUp() public virtual {
        deploy();
    }
}

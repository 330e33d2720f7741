// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Leaf, RoundKey} from "./IRounds.sol";
import {Leaves} from "./Leaves.sol";
import {Penalty} from "./Penalty.sol";
import {RoundLedger} from "./RoundLedger.sol";
import {Staking} from "./Staking.sol";

/// @title Who takes part, with which keys, what they have at stake and what they are known for
/// @notice An identity is the hash of a node key and a wallet, so nobody can take another's.
/// A wallet has one identity for ever: who retired or was banned does not come back with it.
contract ReputationRegistry is Staking, EIP712 {
    bytes32 private constant _CONSENT =
        keccak256("Register(bytes32 nodeKey,address wallet,uint256 deadline)");

    /// @notice The identity that a wallet has or had.
    mapping(address wallet => bytes32 identity) public identityOf;

    /// @param token_ What is staked.
    /// @param ledger_ Whose rounds anchor reputation and whose pool receives what is slashed.
    /// @param initialOwner Who decides appeals, may pause and names the slasher.
    /// @param slasher_ Who may slash and ban; the zero address for nobody.
    /// @param parameters What is fixed for good.
    constructor(
        IERC20 token_,
        RoundLedger ledger_,
        address initialOwner,
        address slasher_,
        Parameters memory parameters
    )
        Ownable(initialOwner)
        EIP712("ParityReputationRegistry", "1")
        Staking(token_, ledger_, slasher_, parameters)
    {}

    /// @notice Bind a wallet to a node key. Who calls pays the gas and gets nothing else.
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet; it never had an identity.
    /// @param deadline When the wallet's consent ends, in seconds since 1970.
    /// @param walletSignature The wallet's EIP-712 signature (ERC-1271 for a contract) over
    /// Register(bytes32 nodeKey,address wallet,uint256 deadline).
    /// @param nodeSignature The node key's Ed25519 signature, 64 bytes, over the same digest.
    /// The chain cannot check it: it goes into the event, and readers check it there.
    /// @return identity identityFor(nodeKey, wallet).
    /// @custom:caller anyone with the wallet's consent
    function register(
        bytes32 nodeKey,
        address wallet,
        uint256 deadline,
        bytes calldata walletSignature,
        bytes calldata nodeSignature
    ) external returns (bytes32 identity) {
        if (nodeKey == 0 || nodeSignature.length != 64) revert ReputationRegistryBadKey();
        if (block.timestamp > deadline) revert ReputationRegistryExpired(deadline);
        if (identityOf[wallet] != 0) revert ReputationRegistryWalletUsed(identityOf[wallet]);
        bytes32 digest = consentDigest(nodeKey, wallet, deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(wallet, digest, walletSignature)) {
            revert ReputationRegistryBadSignature();
        }
        identity = identityFor(nodeKey, wallet);
        identityOf[wallet] = identity;
        Identity storage self = _identities[identity];
        (self.wallet, self.status, self.nodeKey) = (wallet, Status.Active, nodeKey);
        emit Registered(identity, wallet, nodeKey, nodeSignature);
    }

    /// @notice Leave for good; the whole stake begins to unbond.
    /// @param identity The wallet's identity.
    /// @custom:caller wallet of the identity
    function retire(bytes32 identity) external onlyWallet(identity) {
        Identity storage self = _identities[identity];
        _checkLiving(self.status);
        _retire(identity);
        if (self.stake != 0) _unbond(identity, self.stake);
    }

    /// @notice Suspend an identity; it may appeal inside the window. Stake is not touched.
    /// @param identity An active one.
    /// @param evidenceCid The CID of the evidence, 1 to 64 bytes.
    /// @custom:caller slasher
    function ban(bytes32 identity, bytes calldata evidenceCid) external onlySlasher {
        _checkCid(evidenceCid);
        Identity storage self = _identities[identity];
        if (self.status != Status.Active) revert ReputationRegistryWrongStatus(self.status);
        self.status = Status.Suspended;
        self.banUntil = uint64(block.timestamp) + appealWindow;
        emit Banned(identity, self.banUntil, evidenceCid);
    }

    /// @notice Ask the owner to lift a ban; the owner then has one window to decide.
    /// @param identity The wallet's identity.
    /// @param statementCid The CID of the statement, 1 to 64 bytes.
    /// @custom:caller wallet of the identity
    function appeal(bytes32 identity, bytes calldata statementCid) external onlyWallet(identity) {
        _checkCid(statementCid);
        Identity storage self = _identities[identity];
        if (self.status != Status.Suspended) revert ReputationRegistryWrongStatus(self.status);
        if (block.timestamp >= self.banUntil) revert ReputationRegistryTooLate(self.banUntil);
        self.status = Status.Appealed;
        self.banUntil = uint64(block.timestamp) + appealWindow;
        emit Appealed(identity, self.banUntil, statementCid);
    }

    /// @notice Decide about a banned identity while its ban is not final.
    /// @param identity One that is suspended or has appealed.
    /// @param lift Whether the ban ends; if not, an identity that appealed is retired.
    /// @custom:caller owner
    function decideBan(bytes32 identity, bool lift) external onlyOwner {
        Status status = _identities[identity].status;
        bool open = status == Status.Appealed || (status == Status.Suspended && lift);
        if (!open) revert ReputationRegistryWrongStatus(status);
        if (lift) _lift(identity);
        else _retire(identity);
    }

    /// @notice Close a ban whose window has passed: without an appeal the identity is
    /// retired; an appeal that nobody decided lifts the ban.
    /// @param identity One that is suspended or has appealed.
    /// @custom:caller anyone
    function closeBan(bytes32 identity) external {
        Identity storage self = _identities[identity];
        Status status = self.status;
        if (status != Status.Suspended && status != Status.Appealed) {
            revert ReputationRegistryWrongStatus(status);
        }
        if (block.timestamp < self.banUntil) revert ReputationRegistryTooEarly(self.banUntil);
        if (status == Status.Appealed) _lift(identity);
        else _retire(identity);
    }

    /// @notice Take over an identity's reputation from a round that counts.
    /// @param round An active round, newer than the one taken before.
    /// @param leaf The identity's leaf.
    /// @param proof The leaf's siblings up to the round's root.
    /// @custom:caller anyone
    function anchor(RoundKey calldata round, Leaf calldata leaf, bytes32[] calldata proof)
        external
    {
        Identity storage self = _identities[leaf.identity];
        if (self.status == Status.None) revert ReputationRegistryWrongStatus(Status.None);
        if (round.round <= self.anchoredRound) {
            revert ReputationRegistryOldRound(self.anchoredRound);
        }
        bool right = leaf.reputation <= Penalty.REPUTATION_MAX
            && ledger.isActive(round, Leaves.rootOf(leaf, proof));
        if (!right) revert ReputationRegistryBadProof();
        (self.anchoredRound, self.reputation) = (round.round, uint64(leaf.reputation));
        emit ReputationAnchored(leaf.identity, round.round, leaf.reputation);
    }

    /// @notice The identity that a node key and a wallet make.
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet.
    function identityFor(bytes32 nodeKey, address wallet) public pure returns (bytes32) {
        return keccak256(abi.encode(nodeKey, wallet));
    }

    /// @notice What wallet and node key sign to be bound to each other (EIP-712).
    /// @param nodeKey An Ed25519 public key.
    /// @param wallet The wallet.
    /// @param deadline When the consent ends, in seconds since 1970.
    function consentDigest(bytes32 nodeKey, address wallet, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(_CONSENT, nodeKey, wallet, deadline)));
    }

    function _lift(bytes32 identity) private {
        _identities[identity].status = Status.Active;
        emit BanLifted(identity);
    }

    function _retire(bytes32 identity) private {
        _identities[identity].status = Status.Retired;
        emit Retired(identity);
    }
}

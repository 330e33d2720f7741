"""Registration, stake, claims and slashes as transactions of the contracts."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.chain_bridge.calls import decode_result, encode_call
from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.chain_bridge.contracts import artifact, consent_digest, identity_for
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.reward_tree import Member, RewardLeaf
from parity_flwr.core.signatures import Signer


@dataclass(frozen=True, kw_only=True)
class RoundKey:
    """What names a recorded round to the contracts, beside its root."""

    round: int
    active_at: int  # seconds since 1970: when its root counts
    record_hash: bytes  # contracts.record_hash

    @property
    def values(self) -> tuple[int, int, bytes]:
        """The fields of the contracts' struct."""
        return self.round, self.active_at, self.record_hash


def register_intent(
    wallet: Wallet, signer: Signer, *, deployment: Deployment, deadline: int
) -> tuple[Member, Intent]:
    """Return the member that wallet and node key make, and the wish to register it.

    Both sign the registry's EIP-712 consent, so that neither can be bound without the
    other; whoever sends the wish pays the gas.

    Parameters
    ----------
    wallet : Wallet
        Where rewards go; it may unbond the stake.
    signer : Signer
        The Ed25519 key that signs the client's replies.
    deployment : Deployment, keyword-only
        Names the registry and the chain, which the consent binds.
    deadline : int, keyword-only
        When the consent ends, in seconds since 1970.
    """
    node_key = signer.public_key
    digest = consent_digest(
        node_key,
        wallet=wallet.address,
        deadline=deadline,
        registry=deployment.registry,
        chain_id=deployment.chain_id,
    )
    intent = registration_intent(
        node_key,
        account=wallet.address,
        deadline=deadline,
        consents=(wallet.sign_digest(digest), signer.sign(digest)),
        deployment=deployment,
    )
    identity = identity_for(node_key, wallet=wallet.address)
    return Member(identity=identity, account=wallet.address), intent


def registration_intent(
    node_key: bytes,
    *,
    account: str,
    deadline: int,
    consents: tuple[bytes, bytes],
    deployment: Deployment,
) -> Intent:
    """Return the wish to register a wallet and a node key; consents in this order."""
    values = (node_key, account, deadline, *consents)
    data = encode_call(artifact("ReputationRegistry"), "register", values)
    identity = identity_for(node_key, wallet=account)
    return Intent(key=f"register/{identity.hex()}", to=deployment.registry, data=data)


def deposit_intent(member: Member, *, amount: int, deployment: Deployment, key: str) -> Intent:
    """Return the wish to put tokens at stake for a member; the sender approves them first."""
    registry = artifact("ReputationRegistry")
    data = encode_call(registry, "deposit", (member.identity, amount))
    return Intent(key=key, to=deployment.registry, data=data)


def approve_intent(spender: str, *, amount: int, deployment: Deployment, key: str) -> Intent:
    """Return the wish to let a contract take this many of the sender's tokens."""
    data = encode_call(artifact("ParityToken"), "approve", (spender, amount))
    return Intent(key=key, to=deployment.token, data=data)


def claim_intent(
    key: RoundKey, leaf: RewardLeaf, proof: tuple[bytes, ...], *, deployment: Deployment
) -> Intent:
    """Return the wish to pay a member all that a round's leaf grants; anyone may send it."""
    data = encode_call(artifact("Rewards"), "claim", (key.values, leaf.values, list(proof)))
    name = f"claim/{key.round}/{leaf.member.identity.hex()}"
    return Intent(key=name, to=deployment.rewards, data=data)


def anchor_intent(
    key: RoundKey, leaf: RewardLeaf, proof: tuple[bytes, ...], *, deployment: Deployment
) -> Intent:
    """Return the wish that a member's penalty counts its reputation of this round."""
    values = (key.values, leaf.values, list(proof))
    data = encode_call(artifact("ReputationRegistry"), "anchor", values)
    name = f"anchor/{key.round}/{leaf.member.identity.hex()}"
    return Intent(key=name, to=deployment.registry, data=data)


def slash_intent(
    member: Member, *, round: int, severity: int, evidence_cid: bytes, deployment: Deployment
) -> Intent:
    """Return the wish to slash a member for an offence of this round (P-31, P-32).

    Parameters
    ----------
    severity : int
        Millionths, 1 to 1 000 000.
    evidence_cid : bytes
        The CID of the offence's canonical JSON, 1 to 64 bytes.
    """
    values = (member.identity, severity, evidence_cid)
    data = encode_call(artifact("ReputationRegistry"), "slash", values)
    name = f"slash/{round}/{member.identity.hex()}"
    return Intent(key=name, to=deployment.registry, data=data)


def identity_of(chain: Chain, account: str, *, deployment: Deployment) -> bytes | None:
    """Return the identity that a wallet has in the registry, None without one."""
    registry = artifact("ReputationRegistry")
    call = Call(to=deployment.registry, data=encode_call(registry, "identityOf", (account,)))
    found = bytes(decode_result(registry, "identityOf", chain.call(call))[0])
    return found if any(found) else None

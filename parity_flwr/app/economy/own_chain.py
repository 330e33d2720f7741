"""A chain in this process with contracts of its own, for one simulated federation."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from parity_flwr.chain_bridge import membership
from parity_flwr.chain_bridge.calls import decode_result, encode_call
from parity_flwr.chain_bridge.chain import Call
from parity_flwr.chain_bridge.contracts import ContractName, artifact, record_hash
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    fund_pool,
)
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.membership import RoundKey
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.rounds import RoundAnchor, RoundPremise, round_intent
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import RunError

APPEAL_S = 30
"""The appeal window; the chain's clock is moved past it."""

_ETHER = 10**18
_TIMEOUT_S = 120.0
_CONSENT_S = 86_400


class OwnChain:
    """The embedded chain in memory, the four contracts, and the key that owns them.

    Parameters
    ----------
    pool : int, keyword-only
        Tokens that are minted into the pool of rewards, base units.
    stakes : int, keyword-only
        Tokens that are minted for stakes, base units.
    base_penalty : int, keyword-only
        Of P-32, base units.
    """

    def __init__(self, *, pool: int, stakes: int, base_penalty: int) -> None:
        self.chain = EmbeddedChain(None)  # first: it says what is missing
        self._locks = tempfile.TemporaryDirectory(prefix="parity-economy-")
        self.sent = 0
        self._owner = Wallet.generate()
        self.chain.fund(self._owner.address, 10_000 * _ETHER)
        self.deployment = self._deploy(pool, base_penalty)
        premise = RoundPremise(self.chain, ledger=self.deployment.ledger)
        self.sender = self._new_sender(premise)
        self.do("mint", "ParityToken", (self.deployment.owner, stakes), key="mint/stakes")
        made = self.deployment
        self.send(
            membership.approve_intent(
                made.registry, amount=stakes, deployment=made, key="approve/stakes"
            )
        )

    def join(self, *, stake: int) -> Member:
        """Register a participant with new keys, and deposit a stake for it."""
        member, intent = membership.register_intent(
            Wallet.generate(),
            Ed25519Signer.generate(),
            deployment=self.deployment,
            deadline=int(time.time()) + _CONSENT_S,
        )
        self.send(intent)
        if stake:
            key = f"deposit/{member.identity.hex()}"
            made = self.deployment
            self.send(membership.deposit_intent(member, amount=stake, deployment=made, key=key))
        return member

    def record(self, anchor: RoundAnchor) -> RoundKey:
        """Record a round and return what names it to the contracts."""
        previous = bytes(self.ask("RoundLedger", "stateOf", anchor.round - 1))
        row = self.send(round_intent(anchor, ledger=self.deployment.ledger))
        block = self.chain.block(row.block_number or 0)
        hashed = record_hash(
            round=anchor.round,
            previous=previous,
            model_hash=anchor.model_hash,
            total=anchor.total,
            model_cid=anchor.model_cid,
            scores_cid=anchor.scores_cid,
        )
        active_at = 0 if block is None else block.timestamp  # the delay is 0
        return RoundKey(round=anchor.round, active_at=active_at, record_hash=hashed)

    def identity(self, member: Member) -> dict[str, Any]:
        """Return what the registry keeps of a member."""
        outputs = artifact("ReputationRegistry").entry("function", "get")["outputs"]
        fields = [each["name"] for each in outputs[0]["components"]]
        values = self.ask("ReputationRegistry", "get", member.identity)
        return dict(zip(fields, values, strict=True))

    def do(
        self, function: str, contract: ContractName, arguments: tuple[Any, ...], *, key: str
    ) -> None:
        """Call a function of a contract as its owner, once per key."""
        data = encode_call(artifact(contract), function, arguments)
        self.send(Intent(key=key, to=self._where(contract), data=data))

    def send(self, intent: Intent) -> OutboxRow:
        """Send a transaction and wait for its block.

        Raises
        ------
        ChainError
            It failed.
        """
        self.sender.submit(intent)
        self.sender.settle(timeout_s=_TIMEOUT_S)
        self.sent += 1
        row = self.sender.outbox.find(intent.key)
        if row is None or row.block_number is None:
            raise RunError(
                f"{intent.key} needs a block", came="none", action="report this as a bug"
            )
        return row

    def ask(self, contract: ContractName, function: str, *arguments: Any) -> Any:
        """Return the first thing that a function of a contract answers."""
        built = artifact(contract)
        call = Call(to=self._where(contract), data=encode_call(built, function, arguments))
        return decode_result(built, function, self.chain.call(call))[0]

    def close(self) -> None:
        """Stop the chain."""
        self.sender.close()
        self.chain.close()
        self._locks.cleanup()

    def _deploy(self, pool: int, base_penalty: int) -> Deployment:
        settings = DeploymentSettings(
            delay_s=0, unbonding_s=APPEAL_S, appeal_s=APPEAL_S, base_penalty=base_penalty
        )
        sender = self._new_sender(None)
        made = deploy(sender, self.chain, settings=settings, timeout_s=_TIMEOUT_S)
        fund_pool(sender, made, amount=pool, key="pool", timeout_s=_TIMEOUT_S)
        sender.close()
        return made

    def _new_sender(self, premise: RoundPremise | None) -> Sender:
        return Sender(
            self.chain,
            wallet=self._owner,
            outbox=MemoryOutbox(),
            locks=Path(self._locks.name),
            chain_id=self.chain.chain_id,
            settings=SenderSettings(confirmations=None),
            premise=premise,
        )

    def _where(self, contract: ContractName) -> str:
        made = self.deployment
        places: dict[ContractName, str] = {
            "ParityToken": made.token,
            "RoundLedger": made.ledger,
            "Rewards": made.rewards,
            "ReputationRegistry": made.registry,
        }
        return places[contract]

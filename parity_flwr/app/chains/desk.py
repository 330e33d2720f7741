"""A deployment's contracts at hand: reading them, and sending with a member's wallet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.chains.evidence import gather
from parity_flwr.app.chains.keys import choose_wallet, require_coins
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.calls import decode_result, encode_call
from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS, Wallet
from parity_flwr.core.anchoring import ChainLog, Intent, OutboxRow
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.errors import ChainError

SEND_S = 300.0


@dataclass(frozen=True)
class KeyInUse:
    """A chain that can be written, and the key that will sign."""

    chain: Chain
    wallet: Wallet
    locks: Path  # where the lock on the key lies


class Desk(ABC):
    """The contracts of one deployment, known from a run's folder, a bundle or a file."""

    where: str  # "embedded" or a URL
    environment: Environment

    @property
    @abstractmethod
    def run_id(self) -> str:
        """The run's, empty if only the contracts are known."""

    @property
    @abstractmethod
    def deployment(self) -> Deployment:
        """The contracts; ConfigError if they are not on this kind of chain."""

    @abstractmethod
    def scores(self, number: int, *, cid: bytes) -> ScoreList:
        """Return the score list of a published round, which the ledger names by its CID.

        Raises
        ------
        ConfigError, ContentError
            It is not here, or not what was named.
        """

    def holds(self, number: int) -> bool:
        """Say whether a round's score list can be expected here."""
        return True

    @contextmanager
    def reading(self) -> Iterator[Chain]:
        """Connect, to ask only: to a copy of the embedded chain."""
        with ExitStack() as stack:
            chain = self._asked(stack)
            self.deployment.check(chain)
            yield chain

    @contextmanager
    def sending(
        self, *, wallet: str | None, identity: str | None, owner: bool = False
    ) -> Iterator[MemberSender]:
        """Take a key: of the wallet, or on the embedded chain the identity's or the owner's."""
        deployment = self.deployment
        with ExitStack() as stack:
            used = self._used(stack, wallet=wallet, identity=identity, owner=owner)
            deployment.check(used.chain)
            quick = deployment.chain_id in DEVELOPMENT_CHAINS
            sender = Sender(
                used.chain,
                wallet=used.wallet,
                outbox=MemoryOutbox(),
                locks=used.locks,
                chain_id=deployment.chain_id,
                settings=SenderSettings(confirmations=0 if quick else 2),
            )
            stack.callback(sender.close)
            yield MemberSender(self, used.chain, sender)

    def ask(self, chain: Chain, contract: ContractName, function: str, *values: Any) -> Any:
        """Return what a contract answers to a question."""
        made, built = self.deployment, artifact(contract)
        places = {
            "ParityToken": made.token,
            "RoundLedger": made.ledger,
            "Rewards": made.rewards,
            "ReputationRegistry": made.registry,
        }
        call = Call(to=places[contract], data=encode_call(built, function, values))
        return decode_result(built, function, chain.call(call))[0]

    def logs(self, chain: Chain) -> tuple[ChainLog, ...]:
        """Return every event of the contracts, in order."""
        return gather(chain, self.deployment)

    def _asked(self, stack: ExitStack) -> Chain:
        return connect(self.where, chain_id=self.deployment.chain_id)

    def _used(
        self, stack: ExitStack, *, wallet: str | None, identity: str | None, owner: bool
    ) -> KeyInUse:
        chain_id, places = self.deployment.chain_id, ChainPlaces(self.environment.home)
        chain = connect(self.where, chain_id=chain_id)
        key = choose_wallet(
            places, self.environment, where=self.where, chain_id=chain_id, name=wallet
        )
        require_coins(chain, key)
        return KeyInUse(chain, key, places.locks)


@dataclass(frozen=True)
class MemberSender:
    """A member's key in use."""

    desk: Desk
    chain: Chain
    sender: Sender

    def send(self, intent: Intent) -> OutboxRow:
        """Send one transaction and wait for its block.

        Raises
        ------
        ChainError
            It failed, or no block took it in time.
        """
        self.sender.submit(intent)
        self.sender.settle(timeout_s=SEND_S)
        row = self.sender.outbox.find(intent.key)
        if row is None or row.tx_hash is None:
            raise ChainError(
                f"{intent.key} needs a block", came="none", action="try again later"
            )
        return row

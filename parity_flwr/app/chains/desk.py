"""A run's contracts at hand: reading them, and sending with a member's wallet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.chains.evidence import copied_chain, gather
from parity_flwr.app.chains.keys import choose_wallet, require_coins
from parity_flwr.app.chains.opening import keys_path
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.calls import decode_result, encode_call
from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.chain_bridge.connecting import EMBEDDED, connect
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import STATE_FILE, EmbeddedChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS, Wallet
from parity_flwr.core.anchoring import ChainLog, Intent, OutboxRow
from parity_flwr.core.canonical import MAX_BYTES, loads
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.errors import ChainError, ConfigError

SEND_S = 300.0
_GAS_MONEY = 10**20  # wei on the embedded chain


@dataclass(frozen=True)
class RunDesk:
    """One run on one chain.

    Parameters
    ----------
    run : RunFolder
    where : str
        "embedded" or a URL.
    environment : Environment
    """

    run: RunFolder
    where: str
    environment: Environment

    @property
    def deployment(self) -> Deployment:
        """The run's contracts; ConfigError if it was not published to this kind of chain."""
        places = ChainPlaces(self.run.path)
        found = places.only()
        if found is None or (self.where == EMBEDDED) != places.embedded.is_dir():
            raise ConfigError(
                f"{self.run.id} needs to be a run on the chain that was named",
                came="one without a chain" if found is None else "a run on another",
                action="pass --chain as the run had it",
            )
        return found

    @contextmanager
    def reading(self) -> Iterator[Chain]:
        """Connect, to ask only: to a copy of the embedded chain."""
        deployment = self.deployment
        with ExitStack() as stack:
            chain: Chain
            if self.where == EMBEDDED:
                state = ChainPlaces(self.run.path).embedded / STATE_FILE
                chain = stack.enter_context(copied_chain(state))
            else:
                chain = connect(self.where, chain_id=deployment.chain_id)
            deployment.check(chain)
            yield chain

    @contextmanager
    def sending(
        self, *, wallet: str | None, identity: str | None, owner: bool = False
    ) -> Iterator[MemberSender]:
        """Take a key: of the wallet, or on the embedded chain the identity's or the owner's."""
        deployment = self.deployment
        places = ChainPlaces(self.environment.home)
        with ExitStack() as stack:
            chain: Chain
            if self.where == EMBEDDED:
                embedded = EmbeddedChain(ChainPlaces(self.run.path).embedded)
                chain = stack.enter_context(embedded)
                keys = RunKeys(keys_path(self.run))
                key = keys.owner if owner else self._made(keys, identity)
                if chain.balance(key.address) == 0:
                    embedded.fund(key.address, _GAS_MONEY)
            else:
                chain = connect(self.where, chain_id=deployment.chain_id)
                key = choose_wallet(
                    places,
                    self.environment,
                    where=self.where,
                    chain_id=deployment.chain_id,
                    name=wallet,
                )
                require_coins(chain, key)
            deployment.check(chain)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="parity-lock-"))
            locks = Path(folder) if self.where == EMBEDDED else places.locks
            sender = Sender(
                chain,
                wallet=key,
                outbox=MemoryOutbox(),
                locks=locks,
                chain_id=deployment.chain_id,
                settings=SenderSettings(
                    confirmations=0 if deployment.chain_id in DEVELOPMENT_CHAINS else 2
                ),
            )
            stack.callback(sender.close)
            yield MemberSender(self, chain, sender)

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

    def scores(self, number: int) -> ScoreList:
        """Return the score list of a published round; ContentError if it is missing."""
        found = FolderPublications(self.run.publications).published(number)
        if found is None:
            raise ConfigError(
                f"round {number} needs its score list in {self.run.id}",
                came="none",
                action="copy the run's folder from whoever published it",
            )
        store = DirectoryStore(folder=self.run.content)
        return loads(store.get(found.scores, max_bytes=MAX_BYTES), ScoreList)

    def _made(self, keys: RunKeys, identity: str | None) -> Wallet:
        if identity is None or identity not in keys.names():
            raise ConfigError(
                "on the embedded chain --identity needs one that the run made a wallet for",
                came="none" if identity is None else ascii(identity)[:80],
                action=f"choose among: {', '.join(keys.names())[:200]}",
            )
        return keys.of(identity).wallet


@dataclass(frozen=True)
class MemberSender:
    """A member's key in use."""

    desk: RunDesk
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

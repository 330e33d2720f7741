"""A run's contracts at hand, from the run's folder: all that its publisher can do."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.chains.desk import Desk, KeyInUse
from parity_flwr.app.chains.evidence import copied_chain
from parity_flwr.app.chains.opened import keys_path
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.publications import FolderPublications
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import EMBEDDED
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import STATE_FILE, EmbeddedChain
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.canonical import MAX_BYTES, loads
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.errors import ConfigError

_GAS_MONEY = 10**20  # wei on the embedded chain


@dataclass(frozen=True)
class RunDesk(Desk):
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
    def run_id(self) -> str:
        """The run's."""
        return self.run.id

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

    def scores(self, number: int, *, cid: bytes) -> ScoreList:
        """Return the score list that the run published; ConfigError if it is missing."""
        found = FolderPublications(self.run.publications).published(number)
        if found is None:
            raise ConfigError(
                f"round {number} needs its score list in {self.run.id}",
                came="none",
                action="copy the run's folder from whoever published it",
            )
        store = DirectoryStore(folder=self.run.content)
        return loads(store.get(found.scores, max_bytes=MAX_BYTES), ScoreList)

    def _asked(self, stack: ExitStack) -> Chain:
        if self.where != EMBEDDED:
            return super()._asked(stack)
        state = ChainPlaces(self.run.path).embedded / STATE_FILE
        return stack.enter_context(copied_chain(state))

    def _used(
        self, stack: ExitStack, *, wallet: str | None, identity: str | None, owner: bool
    ) -> KeyInUse:
        if self.where != EMBEDDED:
            return super()._used(stack, wallet=wallet, identity=identity, owner=owner)
        chain = stack.enter_context(EmbeddedChain(ChainPlaces(self.run.path).embedded))
        keys = RunKeys(keys_path(self.run))
        key = keys.owner if owner else _made(keys, identity)
        if chain.balance(key.address) == 0:
            chain.fund(key.address, _GAS_MONEY)
        locks = stack.enter_context(tempfile.TemporaryDirectory(prefix="parity-lock-"))
        return KeyInUse(chain, key, Path(locks))


def _made(keys: RunKeys, identity: str | None) -> Wallet:
    if identity is None or identity not in keys.names():
        raise ConfigError(
            "on the embedded chain --identity needs one that the run made a wallet for",
            came="none" if identity is None else ascii(identity)[:80],
            action=f"choose among: {', '.join(keys.names())[:200]}",
        )
    return keys.of(identity).wallet

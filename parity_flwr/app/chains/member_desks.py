"""The contracts at hand for a member, who has no folder of the run: a bundle or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.bundle.chain_section import bundled_evidence
from parity_flwr.app.bundle.held import BundledPublished
from parity_flwr.app.bundle.sealed import Bundle, open_whole
from parity_flwr.app.chains.desk import Desk
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.content import ipfs_store
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.connecting import EMBEDDED, connect
from parity_flwr.chain_bridge.deployment import MAX_FILE, Deployment
from parity_flwr.core.canonical import MAX_BYTES, loads
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.scores import ScoreList
from parity_flwr.errors import ConfigError


@dataclass(frozen=True)
class BundleDesk(Desk):
    """The contracts of a run on a node, with the score lists that its bundle holds.

    Nothing in the bundle is believed: a score list counts if it gives the root that the
    ledger has. Build one with :meth:`open`.
    """

    bundle: Bundle
    named: Deployment
    where: str
    environment: Environment

    @classmethod
    def open(cls, path: Path, where: str, environment: Environment) -> BundleDesk:
        """Read a bundle.

        Raises
        ------
        ContentError, DataError
            The file cannot be read, or is not as it was sealed.
        ConfigError
            It names no contracts, or no URL was given.
        """
        require_url(where, "--bundle")
        bundle = open_whole(path)
        evidence = bundled_evidence(bundle)
        if evidence is None:
            raise ConfigError(
                "--bundle needs the bundle of a run that was published to a node",
                came="one that names no chain",
                action="ask for one made with: parity bundle RUN --chain URL",
            )
        return cls(bundle, evidence.deployment, where, environment)

    @property
    def run_id(self) -> str:
        """The run's, as the bundle says."""
        return self.bundle.contents.run_id

    @property
    def deployment(self) -> Deployment:
        """The contracts that the bundle names."""
        return self.named

    def holds(self, number: int) -> bool:
        """Say whether the bundle has a round; it may be older than the chain."""
        return number in BundledPublished(self.bundle).rounds()

    def scores(self, number: int, *, cid: bytes) -> ScoreList:
        """Return the score list of a round; ContentError if the bundle has none."""
        return loads(BundledPublished(self.bundle).scores(number), ScoreList)


@dataclass(frozen=True)
class DeploymentDesk(Desk):
    """The contracts that a deployment's file names; score lists come from IPFS by CID.

    Build one with :meth:`open`.
    """

    named: Deployment
    where: str
    environment: Environment

    @classmethod
    def open(cls, path: Path, where: str, environment: Environment) -> DeploymentDesk:
        """Read a deployment's file; ConfigError if it is none, or no URL was given."""
        require_url(where, "--deployment")
        try:
            with path.open("rb") as file:
                named = Deployment.parse(file.read(MAX_FILE + 1))
        except OSError as error:
            raise ConfigError(
                f"--deployment needs {path} to be readable",
                came=error.strerror or "an error",
                action="ask whoever deployed for the file",
            ) from error
        return cls(named, where, environment)

    @classmethod
    def of_home(cls, where: str, environment: Environment) -> DeploymentDesk:
        """Take the home's contracts on a node's chain; ConfigError if it knows none."""
        require_url(where, "this command")
        chain_id = connect(where).chain_id
        named = ChainPlaces(environment.home).load(chain_id)
        if named is None:
            raise ConfigError(
                f"contracts on the chain {chain_id} need to be known",
                came="none in this home",
                action="pass --deployment FILE, or run: parity chain deploy",
            )
        return cls(named, where, environment)

    @property
    def run_id(self) -> str:
        """None is known."""
        return ""

    @property
    def deployment(self) -> Deployment:
        """The contracts that the file names."""
        return self.named

    def scores(self, number: int, *, cid: bytes) -> ScoreList:
        """Fetch the score list that the ledger names.

        Raises
        ------
        ConfigError
            No IPFS node is configured.
        ContentError
            The node has not got it, or gives something else.
        """
        store = ipfs_store(self.environment)
        if store is None:
            raise ConfigError(
                f"round {number} needs its score list, {Cid.from_bytes(cid)}",
                came="no IPFS node",
                action="set PARITY_IPFS_URL, or pass --bundle with a bundle of the run",
            )
        return loads(store.get(str(Cid.from_bytes(cid)), max_bytes=MAX_BYTES), ScoreList)


def require_url(where: str, option: str) -> None:
    """Refuse the embedded chain, which lies in a run's folder; ConfigError."""
    if where == EMBEDDED:
        raise ConfigError(
            f"{option} needs --chain URL",
            came="the embedded chain, which only the run's folder has",
            action="give the node's URL, or RUN instead",
        )

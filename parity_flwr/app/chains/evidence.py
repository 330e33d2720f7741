"""What a chain says about a run: the events of its contracts, from a node or a bundle."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.terms import RunTerms, read_terms
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import STATE_FILE, EmbeddedChain
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import ChainError, ConfigError

_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class ChainEvidence:
    """The events of a run's contracts, in order, and what it takes to judge them."""

    deployment: Deployment
    terms: RunTerms
    logs: tuple[ChainLog, ...]
    asked: bool  # whether a node said so now, not a file of the one who is verified
    where: str = field(default="")  # in words

    def events(
        self, contract: ContractName, name: str
    ) -> tuple[tuple[ChainLog, Mapping[str, Any]], ...]:
        """Return every event of this name with its fields.

        Raises
        ------
        ChainError
            One says it is this event, and its bytes are something else.
        """
        address, built = self._address(contract), artifact(contract)
        found = []
        for log in self.logs:
            fields = decode_event(built, name, log) if log.address == address else None
            if fields is not None:
                found.append((log, fields))
        return tuple(found)

    def _address(self, contract: ContractName) -> str:
        made = self.deployment
        places = {
            "ParityToken": made.token,
            "RoundLedger": made.ledger,
            "Rewards": made.rewards,
            "ReputationRegistry": made.registry,
        }
        return places[contract]


def gather(chain: Chain, deployment: Deployment) -> tuple[ChainLog, ...]:
    """Return the events of a deployment's contracts, in order."""
    head = chain.block("latest")
    last = head.number if head is not None else -1
    logs: list[ChainLog] = []
    for first in range(deployment.first_block, last + 1, _CHUNK):
        end = min(first + _CHUNK - 1, last)
        logs.extend(chain.logs(deployment.contracts, first=first, last=end))
    return tuple(logs)


def run_evidence(path: Path, *, url: str | None) -> ChainEvidence | None:
    """Return what the chain of a run says, None if the run has none or it is not named.

    The embedded chain is read from a copy, so that verifying changes nothing and a run may
    go on meanwhile.

    Parameters
    ----------
    path : Path
        The run's folder.
    url : str or None, keyword-only
        The node of a run that was published to one.

    Raises
    ------
    ChainError
        The chain was changed, is another one, or its node does not answer.
    ConfigError
        A URL was given for a run on the embedded chain, or for one without a chain.
    """
    places = ChainPlaces(path)
    deployment, terms = places.only(), read_terms(places)
    embedded = places.embedded / STATE_FILE
    if url is not None and (deployment is None or embedded.exists()):
        raise ConfigError(
            "--chain needs a run that was published to a node",
            came="one on the embedded chain" if embedded.exists() else "one without a chain",
            action="leave --chain out",
        )
    if deployment is None or (url is None and not embedded.exists()):
        return None
    if terms is None:
        raise ChainError(
            f"judging a chain's record needs {places.terms}",
            came="none",
            action="run 'parity chain drain', or restore it from a backup",
        )
    if embedded.exists():
        return _embedded(embedded, deployment, terms)
    return asked_evidence(url, deployment, terms) if url is not None else None


def asked_evidence(url: str, deployment: Deployment, terms: RunTerms) -> ChainEvidence:
    """Ask a node for the events of a deployment."""
    chain = connect(url, chain_id=deployment.chain_id)
    deployment.check(chain)
    return ChainEvidence(
        deployment=deployment,
        terms=terms,
        logs=gather(chain, deployment),
        asked=True,
        where=f"the chain {deployment.chain_id}",
    )


@contextmanager
def copied_chain(state: Path) -> Iterator[EmbeddedChain]:
    """Open a copy of an embedded chain, so that it can be asked while a run writes it.

    Raises
    ------
    ChainError
        It cannot be read, or was changed.
    """
    with tempfile.TemporaryDirectory(prefix="parity-chain-") as folder:
        try:
            shutil.copyfile(state, Path(folder) / STATE_FILE)
        except OSError as error:
            raise ChainError(
                f"the embedded chain needs {state} to be readable",
                came=error.strerror or "an error",
                action="fix its permissions",
            ) from error
        with EmbeddedChain(Path(folder)) as chain:
            yield chain


def _embedded(state: Path, deployment: Deployment, terms: RunTerms) -> ChainEvidence:
    with copied_chain(state) as chain:
        deployment.check(chain)
        logs = gather(chain, deployment)
    return ChainEvidence(
        deployment=deployment, terms=terms, logs=logs, asked=False, where="the embedded chain"
    )

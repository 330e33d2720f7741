"""What a chain said of a run, as a section of its bundle."""

from __future__ import annotations

from dataclasses import dataclass

from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.app.chains.evidence import ChainEvidence
from parity_flwr.app.chains.terms import RunTerms
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.core.canonical import MAX_BYTES, dumps, loads
from parity_flwr.errors import ContentError, JournalError

NAME = "evidence"
SECTION = f"chain/{NAME}"


@dataclass(frozen=True, kw_only=True)
class WrittenLog:
    """A :class:`parity_flwr.core.anchoring.ChainLog` with its bytes in hex."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int
    block_hash: str
    tx_hash: str
    index: int


@dataclass(frozen=True, kw_only=True)
class WrittenEvidence:
    """The section as it is written."""

    deployment: str  # the deployment's file
    terms: RunTerms
    logs: tuple[WrittenLog, ...]


def encode_evidence(evidence: ChainEvidence) -> bytes:
    """Return the section's bytes."""
    logs = tuple(
        WrittenLog(
            address=log.address,
            topics=tuple(topic.hex() for topic in log.topics),
            data=log.data.hex(),
            block_number=log.block_number,
            block_hash=log.block_hash.hex(),
            tx_hash=log.tx_hash.hex(),
            index=log.index,
        )
        for log in evidence.logs
    )
    written = WrittenEvidence(
        deployment=evidence.deployment.to_json(), terms=evidence.terms, logs=logs
    )
    return dumps(written)


def bundled_evidence(bundle: Bundle) -> ChainEvidence | None:
    """Return what a bundle says that a chain said, None if it says nothing.

    Raises
    ------
    ContentError, ConfigError
        The section is something else.
    """
    if SECTION not in bundle.names:
        return None
    try:
        written = loads(bundle.read(SECTION, max_bytes=MAX_BYTES), WrittenEvidence)
        logs = tuple(_log(each) for each in written.logs)
    except (JournalError, ValueError) as error:
        raise ContentError(
            f"section {SECTION} needs a chain's events",
            came=str(error)[:200],
            action="ask for another bundle",
        ) from error
    return ChainEvidence(
        deployment=Deployment.parse(written.deployment.encode("utf-8", "replace")),
        terms=written.terms,
        logs=logs,
        asked=False,
        where="the chain, as the bundle says",
    )


def _log(written: WrittenLog) -> ChainLog:
    return ChainLog(
        address=written.address,
        topics=tuple(bytes.fromhex(topic) for topic in written.topics),
        data=bytes.fromhex(written.data),
        block_number=written.block_number,
        block_hash=bytes.fromhex(written.block_hash),
        tx_hash=bytes.fromhex(written.tx_hash),
        index=written.index,
    )

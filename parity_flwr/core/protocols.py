"""What the outer layers implement so that the core and the strategies need not know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from parity_flwr.core.content.records import PinStatus, Publication
from parity_flwr.core.content.unixfs import Profile
from parity_flwr.core.privacy.ledger import Charge, Spending
from parity_flwr.core.records import (
    Action,
    Checkpoint,
    EvaluationRecord,
    ReputationState,
    Resumption,
    RoundRecord,
    RunHeader,
)


class Journal(Protocol):
    """The append-only record of a run. What is not in the journal did not happen.

    Every method is durable when it returns: a kill -9 afterwards loses nothing, and a kill
    during it leaves the journal as it was before.
    """

    run_id: str
    """Names the run; clients' signatures bind it."""

    keep_updates: bool
    """Whether :meth:`commit` wants the accepted updates, for ``verify --updates``."""

    carried: ReputationState | None
    """Reputation from an earlier run (``--reputation-from``); None to start afresh."""

    baseline: bool
    """Whether this run is the comparison: the inner strategy alone, no gate, no trust."""

    def begin(self, header: RunHeader) -> Resumption | None:
        """Start the run, or continue it: None if the journal holds no round yet."""
        ...

    def actions(self) -> tuple[Action, ...]:
        """Return the bans and pardons that no committed round has applied yet, in order."""
        ...

    def commit(
        self,
        record: RoundRecord,
        checkpoint: Checkpoint,
        updates: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        *,
        base: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Write one round with its checkpoint, atomically.

        ``updates`` maps the identity to the arrays it returned (models, not differences);
        ``base`` is the model that was sent out, kept with them.
        """
        ...

    def evaluate(self, record: EvaluationRecord) -> None:
        """Write the metrics of an evaluation."""
        ...

    def finish(self, status: str, reason: str = "", *, sketch_seed: bytes = b"") -> None:
        """Close the run as "completed" or "failed", and reveal the sketches' seed."""
        ...


@runtime_checkable
class ChargeStore(Protocol):
    """A journal that keeps the charges against a privacy budget."""

    def charges(self) -> tuple[Charge, ...]:
        """Return every charge of the run, in the order they were made."""
        ...

    def charge(self, charge: Charge) -> None:
        """Write a charge, durably and once, before what it pays for is released."""
        ...

    def state_spending(self, spending: Spending) -> None:
        """Write what the run states that it has spent."""
        ...


@runtime_checkable
class ClientStateStore(Protocol):
    """A grid that can save and restore the state of its clients (in-process engine)."""

    def save_client_state(self) -> bytes:
        """Return the state of all clients, without pickle."""
        ...

    def load_client_state(self, data: bytes) -> None:
        """Restore what :meth:`save_client_state` returned."""
        ...


class Ledger(Protocol):
    """Where rounds are anchored (implemented by the chain bridge)."""

    def publish(self, record: RoundRecord) -> None:
        """Queue one round for publication; never blocks on the network."""
        ...


class ContentStore(Protocol):
    """Content-addressed storage (implemented by the chain bridge)."""

    @property
    def profile(self) -> Profile:
        """How files are cut into blocks, which decides their CIDs."""
        ...

    def put(self, data: bytes | Iterable[bytes | memoryview]) -> str:
        """Store a file, whole or in pieces, and return its CID; the same file, once."""
        ...

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a CID after checking them against it.

        ContentError if they are missing, others, or more than `max_bytes`.
        """
        ...

    def pin(self, cid: str) -> None:
        """Keep what is stored under a CID; ContentError if that is not possible."""
        ...


class PinningTarget(Protocol):
    """Somebody else who keeps content, such as a Filecoin pinning service."""

    def request(self, cid: str, *, name: str = "") -> PinStatus:
        """Ask to keep a CID; return how far that has come."""
        ...

    def status(self, request_id: str) -> PinStatus:
        """Return how far a request has come."""
        ...

    def remove(self, request_id: str) -> None:
        """Take a request back."""
        ...


class PublicationLog(Protocol):
    """Where a run remembers which rounds are published, durably (implemented by the app)."""

    def published(self, round_number: int) -> Publication | None:
        """Return what was published of a round, None if it was not."""
        ...

    def before(self, round_number: int) -> Publication | None:
        """Return what was published last of the rounds below, None if nothing was."""
        ...

    def publish(self, publication: Publication) -> None:
        """Write down that a round is published; all of its content is stored by then."""
        ...

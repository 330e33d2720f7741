"""What a bundle holds of published files and of the clients' updates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from typing import Any

from numpy.typing import NDArray

from parity_flwr.app.bundle.sealed import Bundle
from parity_flwr.core.canonical import MAX_BYTES
from parity_flwr.core.encoding import ModelLimits, decode_model, model_hash
from parity_flwr.core.records import RoundRecord
from parity_flwr.errors import CheckpointError, ContentError


def identity_digest(identity: str) -> str:
    """Return what an identity's update is called in a bundle: it may be any text."""
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()


class BundledUpdates:
    """The updates in a bundle (implements ``verification.updates.Updates``).

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def has(self, round_number: int, identity: str) -> bool:
        """Say whether one client's is there."""
        return self.place(round_number, identity) in self._bundle.names

    def read(self, round_number: int, identity: str) -> dict[str, NDArray[Any]]:
        """Return what one client returned; CheckpointError if it is missing or damaged."""
        return self._decoded(self.place(round_number, identity))

    def base(self, round_number: int, *, expected_hash: str) -> dict[str, NDArray[Any]]:
        """Return the model that was sent out; CheckpointError if it is not the one hashed."""
        place = f"updates/{round_number:05d}/base"
        model = self._decoded(place)
        if model_hash(model) != expected_hash:
            raise CheckpointError(
                f"section {place} needs the model {expected_hash[:16]}",
                came=model_hash(model)[:16],
                action="ask for another bundle",
            )
        return model

    def place(self, round_number: int, identity: str) -> str:
        """Return the section of one client's."""
        return f"updates/{round_number:05d}/{identity_digest(identity)}"

    def _decoded(self, section: str) -> dict[str, NDArray[Any]]:
        try:
            raw = self._bundle.read(section, max_bytes=ModelLimits().max_bytes)
        except ContentError as error:
            raise CheckpointError(error.needed, came=error.came, action=error.action) from error
        return decode_model(raw)


class BundledPublished:
    """The published files in a bundle (implements ``verification.published.PublishedFiles``).

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def rounds(self) -> Set[int]:
        """Return the rounds that are published."""
        parts = (name.split("/") for name in self._bundle.names)
        return frozenset(int(part[1]) for part in parts if part[0] == "published")

    def record(self, round_number: int) -> bytes:
        """Return the record of one."""
        return self._read(round_number, "record")

    def scores(self, round_number: int) -> bytes:
        """Return the scores of one."""
        return self._read(round_number, "scores")

    def model(self, record: RoundRecord) -> Mapping[str, NDArray[Any]]:
        """Return the model in the bundle, which is the last round's."""
        limits = ModelLimits()
        return decode_model(
            self._bundle.read("model", max_bytes=limits.max_bytes), limits=limits
        )

    def _read(self, number: int, part: str) -> bytes:
        return self._bundle.read(f"published/{number:05d}/{part}", max_bytes=MAX_BYTES)

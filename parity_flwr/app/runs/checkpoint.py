"""What a run needs to go on, one npz file a round, written before the journal says so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.app.runs.arrays import read_arrays, write_arrays
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Checkpoint
from parity_flwr.errors import CheckpointError, ConfigError
from parity_flwr.files import remove_partial_files

_FILE = re.compile(r"round-(\d{5,18})\.npz")


@dataclass(frozen=True, kw_only=True)
class CheckpointStore:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
        Where they lie, as ``round-00007.npz``.
    keep : int
        How many of them outlive the next round.
    """

    folder: Path
    keep: int = 3

    def path(self, round_number: int) -> Path:
        """Return the file of one round."""
        return self.folder / f"round-{round_number:05d}.npz"

    def rounds(self) -> list[int]:
        """Return the rounds that have a checkpoint, oldest first."""
        names = [path.name for path in self.folder.glob("round-*.npz")]
        return sorted(int(found[1]) for name in names if (found := _FILE.fullmatch(name)))

    def write(self, checkpoint: Checkpoint) -> None:
        """Write one checkpoint, durably; the older ones stay.

        Raises
        ------
        CheckpointError
            It cannot be written.
        """
        groups: dict[str, Mapping[str, NDArray[Any]]] = {
            "model": checkpoint.model,
            "inner": checkpoint.inner,
            "memory": checkpoint.memory,
        }
        if checkpoint.client_state is not None:
            state = np.frombuffer(checkpoint.client_state, dtype=np.uint8)
            groups["clients"] = {"state": state}
        facts = {"round": checkpoint.round, "sketch_seed": checkpoint.sketch_seed.hex()}
        write_arrays(self.path(checkpoint.round), groups, facts)

    def read(self, round_number: int, *, expected_hash: str | None = None) -> Checkpoint:
        """Return the checkpoint of one round.

        Raises
        ------
        CheckpointError
            The file is missing or damaged, is another round's, or its model is not the one
            that the journal names.
        """
        path = self.path(round_number)
        groups, facts = read_arrays(path)
        if facts.get("round") != round_number:
            raise _damaged(path, f"round {round_number}", f"round {facts.get('round')!r:.40}")
        model = groups.get("model", {})
        if expected_hash is not None:
            require_model(path, model, expected_hash)
        state = groups.get("clients", {}).get("state")
        return Checkpoint(
            round=round_number,
            model=model,
            inner=groups.get("inner", {}),
            memory=groups.get("memory", {}),
            sketch_seed=_seed(path, facts.get("sketch_seed")),
            client_state=None if state is None else state.tobytes(),
        )

    def prune(
        self, committed: int, *, spare: Callable[[int], bool] = lambda number: False
    ) -> None:
        """Remove the checkpoints that lie ``keep`` rounds or more before ``committed``.

        Those of rounds that ``spare`` holds for stay: somebody still needs them.
        """
        for round_number in self.rounds():
            if round_number <= committed - self.keep and not spare(round_number):
                self.remove(round_number)

    def remove(self, round_number: int) -> int:
        """Remove the checkpoint of one round; return how many bytes that freed."""
        path, size = self.path(round_number), 0
        with suppress(OSError):
            size = path.stat().st_size
            path.unlink()
            return size
        return 0

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        remove_partial_files(self.folder)


def write_model(path: Path, model: Mapping[str, NDArray[Any]]) -> None:
    """Write the named arrays of a model alone."""
    write_arrays(path, {"model": model}, {})


def read_model(path: Path, *, expected_hash: str | None = None) -> dict[str, NDArray[Any]]:
    """Return the named arrays of a model or of a checkpoint's model.

    Raises
    ------
    CheckpointError
        The file is missing or damaged, or holds another model.
    """
    groups, _ = read_arrays(path)
    model = groups.get("model", {})
    if expected_hash is not None:
        require_model(path, model, expected_hash)
    return model


class UpdateStore:
    """The models that clients returned, ``round-00007/<SHA-256 of the identity>.npz``.

    Parameters
    ----------
    folder : Path
        Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, round_number: int, identity: str) -> Path:
        """Return one client's file; the identity is hostile, so its hash is the name."""
        digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"round-{round_number:05d}" / f"{digest}.npz"

    def base_path(self, round_number: int) -> Path:
        """Return the file of the model that was sent out in a round."""
        return self.folder / f"round-{round_number:05d}" / "base.npz"

    def place(self, round_number: int, identity: str) -> str:
        """Say where one client's file is, for a message."""
        return str(self.path(round_number, identity))

    def has(self, round_number: int, identity: str) -> bool:
        """Say whether one client's file is there."""
        return self.path(round_number, identity).exists()

    def base(self, round_number: int, *, expected_hash: str) -> dict[str, NDArray[Any]]:
        """Return the model that was sent out; CheckpointError if it is not the one hashed."""
        return read_model(self.base_path(round_number), expected_hash=expected_hash)

    def write(
        self, round_number: int, updates: Mapping[str, Mapping[str, NDArray[Any]]]
    ) -> None:
        """Write what the clients of one round returned."""
        for identity, arrays in updates.items():
            facts = {"round": round_number, "identity": identity}
            write_arrays(self.path(round_number, identity), {"update": arrays}, facts)

    def read(self, round_number: int, identity: str) -> dict[str, NDArray[Any]]:
        """Return what one client returned.

        Raises
        ------
        CheckpointError
            The file is missing, damaged, or another client's.
        """
        path = self.path(round_number, identity)
        groups, facts = read_arrays(path)
        if facts != {"round": round_number, "identity": identity}:
            raise _damaged(path, f"round {round_number} of {identity!r:.80}", "another's")
        return groups.get("update", {})


def require_model(path: Path, model: Mapping[str, NDArray[Any]], expected_hash: str) -> None:
    """Raise :class:`CheckpointError` unless ``model`` has the hash that the journal names."""
    try:
        found = model_hash(model)
    except ConfigError as error:
        raise _damaged(path, "a model of plain numbers", error.came) from error
    if found != expected_hash:
        raise _damaged(path, f"the model {expected_hash[:16]} of the journal", found[:16])


def _seed(path: Path, text: object) -> bytes:
    try:
        return bytes.fromhex(text if isinstance(text, str) else "?")
    except ValueError as error:
        raise _damaged(path, "a sketch seed in hex", "something else") from error


def _damaged(path: Path, needed: str, came: str) -> CheckpointError:
    return CheckpointError(
        f"{path} needs to hold {needed}",
        came=came,
        action="restore the file from a backup, or start a new run with --reputation-from",
    )

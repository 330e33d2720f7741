"""A limit for a run's folder: what goes first when the folder grows beyond it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from parity_flwr.app.runs.checkpoint import CheckpointStore
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.size import folder_bytes, shown_size


@dataclass(kw_only=True)
class DiskCap:
    """Keeps a run's folder below a number of bytes where that costs nothing that is needed.

    Only checkpoints older than the last can go, the oldest first: resuming and verifying
    read the last one, and those of rounds that are yet to be published stay too. Journal,
    kept updates and published content are what a run is verified by, and are never touched.

    Parameters
    ----------
    folder : RunFolder
    limit : int or None
        Bytes; None for no limit.
    """

    folder: RunFolder
    limit: int | None = None
    _warned: bool = field(default=False, init=False)

    def enforce(
        self, store: CheckpointStore, committed: int, *, spare: Callable[[int], bool]
    ) -> None:
        """Remove old checkpoints while the folder is above the limit.

        Where that is not enough, a warning says so once and training goes on.

        Parameters
        ----------
        store : CheckpointStore
        committed : int
            The last round; its checkpoint stays.
        spare : callable
            Says whether somebody still needs a round's checkpoint.
        """
        if self.limit is None:
            return
        size = folder_bytes(self.folder.path)
        for number in store.rounds():
            if size <= self.limit:
                return
            if number < committed and not spare(number):
                size -= store.remove(number)
        if size > self.limit and not self._warned:
            self._warned = True
            logging.getLogger("flwr").warning(
                "The run's folder holds %s, above its cap of %s, and all of it is needed"
                " to resume, publish or verify; training goes on",
                shown_size(size),
                shown_size(self.limit),
            )

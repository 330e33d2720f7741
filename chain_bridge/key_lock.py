"""One sender per key: a file that only one process can hold."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from parity_flwr.errors import ChainError


class KeyLock:
    """Holds a key on one chain until it is closed, or the process ends however it ends.

    Parameters
    ----------
    folder : Path
        Where the locks of this machine lie; all processes must name the same.
    chain_id : int, keyword-only
    address : str, keyword-only

    Raises
    ------
    ChainError
        Another process sends with this key.
    """

    def __init__(self, folder: Path, *, chain_id: int, address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{chain_id}-{address.lower()}.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise ChainError(
                f"the key of {address} needs one sender",
                came="another process that sends with it",
                action="end that process, or use another key",
            ) from None

    def close(self) -> None:
        """Let others have the key; harmless a second time."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

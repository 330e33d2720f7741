"""The keys that a run on the embedded chain makes for itself, in its folder, mode 0600."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.keyfile import read_key_file
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import ConfigError, JournalError
from parity_flwr.files import atomic_file

OWNER = ""
"""The entry of the key that deploys and publishes: no identity has an empty name."""


@dataclass(frozen=True)
class MadeKeys:
    """What was made for one identity."""

    wallet: Wallet
    signer: Ed25519Signer


class RunKeys:
    """Wallets and node keys by identity, each made once and remembered.

    Beside them stands the public node key with which an identity was registered, which may
    be the client's own: after a crash nobody else knows it.

    Parameters
    ----------
    path : Path
        The file; it is made with the first key. The chain is worth nothing, so the file
        is protected by its mode alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seeds: dict[str, tuple[str, str, str]] = _read(path)

    @property
    def owner(self) -> Wallet:
        """The key that deploys and publishes."""
        return self.of(OWNER).wallet

    def of(self, name: str) -> MadeKeys:
        """Return an identity's keys, on the disk before anybody else sees them.

        Raises
        ------
        JournalError
            The file cannot be written.
        """
        if name not in self._seeds:
            made = Wallet.generate().key.hex(), secrets.token_hex(32), ""
            self._write({**self._seeds, name: made})
        wallet, node, _ = self._seeds[name]
        return MadeKeys(
            wallet=Wallet.from_hex(wallet), signer=Ed25519Signer.from_seed(bytes.fromhex(node))
        )

    def registered(self, name: str) -> bytes:
        """Return the public node key that was noted for an identity, empty for none."""
        return bytes.fromhex(self._seeds[name][2]) if name in self._seeds else b""

    def note(self, name: str, node_key: bytes) -> None:
        """Note with which public node key an identity is registered."""
        self.of(name)
        wallet, node, _ = self._seeds[name]
        self._write({**self._seeds, name: (wallet, node, node_key.hex())})

    def names(self) -> tuple[str, ...]:
        """Return the identities that keys were made for, sorted."""
        return tuple(sorted(name for name in self._seeds if name != OWNER))

    def _write(self, seeds: dict[str, tuple[str, str, str]]) -> None:
        try:
            with atomic_file(self._path) as file:
                file.write(json.dumps(seeds).encode("ascii"))
        except OSError as error:
            raise JournalError(
                f"a run's keys need to be written to {self._path}",
                came=error.strerror or "an error",
                action="free some space or fix the permissions",
            ) from error
        self._seeds = seeds


def _read(path: Path) -> dict[str, tuple[str, str, str]]:
    if not path.exists():
        return {}
    try:
        found = json.loads(read_key_file(path))
        return {str(name): (str(a), str(b), str(c)) for name, (a, b, c) in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ConfigError(
            f"{path} needs to hold a run's keys",
            came="something else",
            action="restore it from a backup",
        ) from None

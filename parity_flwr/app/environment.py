"""The environment variables that parity-flwr listens to, read in this one place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from parity_flwr.app.runs.size import parse_size
from parity_flwr.errors import ConfigError

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the environment says; build one with :meth:`read`.

    Examples
    --------
    >>> environment = Environment.read({"PARITY_HOME": "/data/parity"})
    >>> environment.home.as_posix(), environment.trust
    ('/data/parity', True)
    """

    home: Path  # PARITY_HOME, where runs/ lies
    run_dir: Path | None = None  # PARITY_RUN_DIR, the folder of the run that is under way
    journal_url: str | None = field(default=None, repr=False)  # may hold a password
    reputation_from: str | None = None  # PARITY_REPUTATION_FROM, a run to carry on from
    keep_updates: bool = False  # PARITY_KEEP_UPDATES
    trust: bool = True  # False under PARITY_BASELINE: the inner strategy runs alone
    publish: bool = False  # PARITY_PUBLISH: models are kept until their round is published
    disk_cap: int | None = None  # PARITY_DISK_CAP, bytes that a run's folder should not exceed
    ipfs_url: str = ""  # PARITY_IPFS_URL, the RPC of a node that gets published content too
    ipfs_token: str = field(default="", repr=False)  # PARITY_IPFS_TOKEN, a bearer token
    pinning_url: str = ""  # PARITY_PINNING_URL, an IPFS pinning service
    pinning_token: str = field(default="", repr=False)  # PARITY_PINNING_TOKEN
    chain_key: str | None = field(default=None, repr=False)  # PARITY_CHAIN_KEY, hex
    wallet_password: str | None = field(default=None, repr=False)  # PARITY_WALLET_PASSWORD
    debug: bool = False  # PARITY_DEBUG: an unexpected error shows its traceback

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Parse ``variables``, by default those of this process.

        Raises
        ------
        ConfigError
            A yes-or-no variable holds something else, or a size is none.
        """
        given = os.environ if variables is None else variables
        home, run_dir = given.get("PARITY_HOME"), given.get("PARITY_RUN_DIR")
        return cls(
            home=_path(home or "~/.parity", "PARITY_HOME"),
            run_dir=_path(run_dir, "PARITY_RUN_DIR") if run_dir else None,
            journal_url=given.get("PARITY_JOURNAL") or None,
            reputation_from=given.get("PARITY_REPUTATION_FROM") or None,
            keep_updates=_flag(given, "PARITY_KEEP_UPDATES"),
            trust=not _flag(given, "PARITY_BASELINE"),
            publish=_flag(given, "PARITY_PUBLISH"),
            disk_cap=_size(given, "PARITY_DISK_CAP"),
            ipfs_url=given.get("PARITY_IPFS_URL", ""),
            ipfs_token=given.get("PARITY_IPFS_TOKEN", ""),
            pinning_url=given.get("PARITY_PINNING_URL", ""),
            pinning_token=given.get("PARITY_PINNING_TOKEN", ""),
            chain_key=given.get("PARITY_CHAIN_KEY") or None,
            wallet_password=given.get("PARITY_WALLET_PASSWORD") or None,
            debug=_flag(given, "PARITY_DEBUG"),
        )

    def variables(self) -> dict[str, str]:
        """Return the variables that make a child process read the same environment."""
        optional = {
            "PARITY_RUN_DIR": str(self.run_dir) if self.run_dir else None,
            "PARITY_JOURNAL": self.journal_url,
            "PARITY_REPUTATION_FROM": self.reputation_from,
            "PARITY_KEEP_UPDATES": "1" if self.keep_updates else None,
            "PARITY_BASELINE": None if self.trust else "1",
            "PARITY_PUBLISH": "1" if self.publish else None,
            "PARITY_DISK_CAP": str(self.disk_cap) if self.disk_cap else None,
            "PARITY_IPFS_URL": self.ipfs_url or None,
            "PARITY_IPFS_TOKEN": self.ipfs_token or None,
            "PARITY_PINNING_URL": self.pinning_url or None,
            "PARITY_PINNING_TOKEN": self.pinning_token or None,
        }
        kept = {name: value for name, value in optional.items() if value is not None}
        return {"PARITY_HOME": str(self.home), **kept}


def _path(text: str, name: str) -> Path:
    """Return an absolute path; ``~`` is the user's home."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise ConfigError(
            f"{name} needs a directory", came=str(error), action=f"set {name} to a full path"
        ) from error


def _size(variables: Mapping[str, str], name: str) -> int | None:
    text = variables.get(name, "").strip()
    return parse_size(text, name=name) if text else None


def _flag(variables: Mapping[str, str], name: str) -> bool:
    value = variables.get(name, "").strip().lower()
    if value not in _YES | _NO:
        raise ConfigError(
            f"{name} needs 1 or 0", came=repr(value[:40]), action=f"set {name}=1 or unset it"
        )
    return value in _YES


def inherited() -> dict[str, str]:
    """Return a copy of this process's variables, for a child process."""
    return dict(os.environ)


@contextmanager
def exported(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for a while; afterwards all are as they were."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

"""The one place where the core touches files: a private key's, of mode 0600."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from parity_flwr.errors import ConfigError

MAX_KEY_FILE = 16 << 10
HOW_TO_MAKE = "make one with: openssl genpkey -algorithm ed25519"


def key_error(needed: str, came: str, action: str = HOW_TO_MAKE) -> ConfigError:
    """Return an error that names the need and never the key."""
    return ConfigError(f"a signing key needs {needed}", came=came, action=action)


def read_key_file(path: Path | str) -> bytes:
    """Return the bytes of a file that only its owner can read.

    Raises
    ------
    ConfigError
        If it cannot be read, others may read it, or it is over 16 KiB.
    """
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_KEY_FILE + 1)
    except (OSError, ValueError) as error:
        raise key_error("a readable file", _why(error, path), "check the path") from None
    if os.name == "posix" and mode & 0o077:
        action = f"run: chmod 600 {path}"
        raise key_error("a file that only its owner can read", f"mode {mode:04o}", action)
    if len(data) > MAX_KEY_FILE:
        raise key_error(f"a file of at most {MAX_KEY_FILE} bytes", "more")
    return data


def write_key_file(path: Path | str, data: bytes) -> None:
    """Write a new file of mode 0600; ConfigError if it exists or cannot be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except (OSError, ValueError) as error:
        raise key_error("a new file", _why(error, path), "choose another path") from None


def _why(error: Exception, path: Path | str) -> str:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"{reason} for {ascii(str(path))[:200]}"

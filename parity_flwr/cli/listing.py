"""Options that hold several values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from parity_flwr.errors import ConfigError

Item = TypeVar("Item")


def listed(text: str, kind: Callable[[str], Item], option: str) -> tuple[Item, ...]:
    """Read values between commas; without repetitions, in the order given."""
    try:
        values = [kind(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(
            f"--{option} needs values between commas",
            came=repr(text[:60]),
            action=f"change --{option}",
        ) from error
    return tuple(dict.fromkeys(values))

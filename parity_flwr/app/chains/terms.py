"""What whoever verifies a run on chain needs besides its journal: pay and consents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.errors import JournalError
from parity_flwr.files import atomic_file

MAX_TERMS = 64 << 20


@dataclass(frozen=True, kw_only=True)
class RunTerms:
    """Fixed when a run is first published; nothing here is believed without the chain."""

    rewards: RewardConfig  # with the stakes that count, empty for none
    stakes_block: int = 0  # the block as of which the stakes are the registry's
    staked: Mapping[str, str] = field(default_factory=dict)  # by name: "0x", 64 digits
    deadlines: Mapping[str, int] = field(default_factory=dict)  # by identity: "0x", 64 digits


def read_terms(places: ChainPlaces) -> RunTerms | None:
    """Return a run's terms, None before it is published.

    Raises
    ------
    JournalError
        The file cannot be read.
    """
    try:
        with places.terms.open("rb") as file:
            return loads(file.read(MAX_TERMS), RunTerms)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(places, error) from error


def write_terms(places: ChainPlaces, terms: RunTerms) -> None:
    """Write a run's terms, whole or not at all; JournalError if that is not possible."""
    try:
        with atomic_file(places.terms) as file:
            file.write(dumps(terms))
    except OSError as error:
        raise _unusable(places, error) from error


def _unusable(places: ChainPlaces, error: OSError) -> JournalError:
    return JournalError(
        f"a run on a chain needs {places.terms}",
        came=error.strerror or "an error",
        action="fix its permissions, or free some space",
    )

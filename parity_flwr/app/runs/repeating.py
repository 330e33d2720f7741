"""A run repeated: what changed since, and whether the same model came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity_flwr.app.runs.asked import RecordedRun, installed_versions, path_digest
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import ConfigError, ParityError

_UNKNOWN = (
    "nothing that parity knows of: an app that draws random numbers without a seed, or "
    "several threads or workers that add in another order"
)


@dataclass(frozen=True, kw_only=True)
class Original:
    """What a run ended with, before it is repeated."""

    run_id: str
    status: str
    rounds: int
    model_hash: str | None


def original_of(folder: RunFolder) -> Original:
    """Return what the journal says of the run; a run without a readable one has no model."""
    from parity_flwr.app.report.summary import summarise
    from parity_flwr.app.runs.outcome import has_journal

    try:
        found: Mapping[str, Any] = summarise(folder) if has_journal(folder) else {}
    except ParityError:
        found = {}
    return Original(
        run_id=folder.id,
        status=found.get("status", "no journal"),
        rounds=found.get("rounds", 0),
        model_hash=found.get("model_hash"),
    )


def changes(recorded: RecordedRun, *, allow_changed_data: bool) -> tuple[str, ...]:
    """Return what is not as it was when the run started, each in a few words.

    Raises
    ------
    ConfigError
        A file or the app is gone, or a file has another content and that is not allowed.
    """
    found = []
    for name, digest in recorded.digests.items():
        path = Path(name)
        if not path.exists():
            raise ConfigError(
                "repeating a run needs what it ran on", came=f"no {name}", action="restore it"
            )
        if path_digest(path) == digest:
            continue
        if path.is_file() and not allow_changed_data:
            raise ConfigError(
                f"repeating a run needs the data of then in {name}",
                came="a file with another SHA-256",
                action="restore it, or add --allow-changed-data",
            )
        found.append(f"{'the data' if path.is_file() else 'the app'} in {name} changed")
    now = installed_versions()
    return (*found, *_version_changes(recorded.versions, now))


def _version_changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    names = sorted(set(then) | set(now))
    return [
        f"{name} was {then.get(name, 'not installed')} and is {now.get(name, 'not installed')}"
        for name in names
        if then.get(name) != now.get(name)
    ]


def comparison(
    original: Original, again: Mapping[str, Any], *, known: Sequence[str]
) -> dict[str, Any]:
    """Return whether the model is the same and, if not, why that may be.

    Parameters
    ----------
    original : Original
    again : mapping
        Of the new run ``run_id``, ``rounds`` and ``model_hash``.
    known : sequence of str
        What is known to differ.
    """
    same = original.model_hash is not None and again["model_hash"] == original.model_hash
    reasons = list(known)
    if original.rounds != again["rounds"]:
        reasons.append(f"the original {original.status} after {original.rounds} rounds")
    return {
        "of": original.run_id,
        "original_model_hash": original.model_hash,
        "model_hash": again["model_hash"],
        "same": same,
        "changed": list(known),
        "reasons": [] if same else reasons or [_UNKNOWN],
    }

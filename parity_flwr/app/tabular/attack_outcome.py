"""The attack of a run: kept for when it is continued, and who was found in the end."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.report.files import write_text
from parity_flwr.app.report.tables import natural
from parity_flwr.app.report.view import Outcome, client_rows
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.tabular.attack import Attackers
from parity_flwr.app.tabular.attack_asked import AttackAsked
from parity_flwr.core.privacy.presets import Level
from parity_flwr.core.records import RoundStatus
from parity_flwr.errors import ConfigError

_NAME = "attack.json"
_NOTHING = 0.01
"""Below this share of an equal weight a client has no say."""


def write_attack(folder: Path, asked: AttackAsked | None) -> None:
    """Write down who lies, for a run that is continued."""
    if asked is not None:
        write_text(folder / _NAME, json.dumps(asdict(asked)) + "\n")


def resumed_attack(folder: Path, asked: AttackAsked | None) -> AttackAsked | None:
    """Return the attack that a run was started with.

    Raises
    ------
    ConfigError
        If another one is asked for now, or the file cannot be read.
    """
    path = folder / _NAME
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else None
        before = None if text is None else AttackAsked(**json.loads(text))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _another(f"a file that is damaged ({type(error).__name__})") from error
    if asked not in (None, before):
        raise _another(f"{before.kind}:{before.fraction:g}" if before else "none")
    return before


def _another(before: str) -> ConfigError:
    return ConfigError(
        "continuing a run needs the attack that it was started with",
        came=f"another than {before}",
        action="leave out --attack, or start a new run",
    )


def attack_outcome(
    folder: RunFolder, attackers: Attackers, *, excluded: list[str]
) -> dict[str, Any]:
    """Return who attacked, and who has no say in the end: attackers and honest clients.

    A client is without a say if it is excluded after the run, or was quarantined in the last
    accepted round, or weighed less than 1 % of an equal share there.
    """
    asked = attackers.plan.attack
    assert asked is not None  # noqa: S101 - called for runs with an attack only
    rounds = open_journal(folder).rounds()
    accepted = [each for each in rounds if each.decision.status is RoundStatus.ACCEPTED]
    silent = set(excluded)
    for row in client_rows(accepted[-1]) if accepted else ():
        equal = 1 / len(accepted[-1].facts.replies)
        heard = row.outcome is Outcome.ACCEPTED and row.weight >= _NOTHING * equal
        if not heard and row.outcome not in (Outcome.MISSING, Outcome.ABSTAINED):
            silent.add(row.identity)
    liars = set(attackers.identities)
    return {
        "kind": asked.kind,
        "fraction": asked.fraction,
        "attackers": sorted(liars, key=natural),
        "found": sorted(liars & silent, key=natural),
        "honest_without_a_say": sorted(silent - liars, key=natural),
        "note": _note(attackers.plan.privacy.level, attackers.plan.model.value),
    }


def _note(level: Level, model: str) -> str:
    """Return why nobody can be found, empty where somebody can."""
    if level is Level.HIGH:
        return "only sums of updates are seen, so that nobody can be found"
    if level is not Level.OFF and model in ("linear", "random_forest"):
        return "clients send one noisy sum each, which no rule compares: nobody can be found"
    return ""

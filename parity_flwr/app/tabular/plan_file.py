"""A plan on disk, for processes that did not make it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from parity_flwr.app.report.files import write_text
from parity_flwr.app.tabular.attack_asked import AttackAsked
from parity_flwr.app.tabular.plan import Model, PrivacyAsked, TabularPlan
from parity_flwr.app.tabular.target import Task
from parity_flwr.core.privacy.presets import Level
from parity_flwr.errors import ConfigError

_NAME = "plan.json"


def write_plan(folder: Path, plan: TabularPlan) -> None:
    """Write the plan down, its file by its absolute path."""
    whole = {**asdict(plan), "data": str(plan.data.resolve())}
    write_text(folder / _NAME, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def read_plan(folder: Path) -> TabularPlan:
    """Return what :func:`write_plan` wrote.

    Raises
    ------
    ConfigError
        The file is not there, or is no plan.
    """
    try:
        whole = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        asked, attack = whole.pop("privacy"), whole.pop("attack", None)
        return TabularPlan(
            **{
                **whole,
                "data": Path(whole["data"]),
                "model": Model(whole["model"]),
                "task": Task(whole["task"]) if whole["task"] else None,
                "attack": AttackAsked(**attack) if attack else None,
                "privacy": PrivacyAsked(**{**asked, "level": Level(asked["level"])}),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"a run's folder needs its {_NAME}",
            came=type(error).__name__,
            action="start a new run",
        ) from error

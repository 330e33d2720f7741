"""The figures of the README: five seeds, with their spread, as JSON and as a table.

usage: python -m parity_healthcare.figures [--data FILE] [--seeds 5] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from flwr.serverapp.strategy import FedAvg

from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_healthcare.client_app import app
from parity_healthcare.outcome import Outcome, outcome_of
from parity_healthcare.server_app import strategy_of, train
from parity_healthcare.study import pooled_auc, study
from parity_healthcare.task import Settings

MARGIN = 0.02
"""By how much AUC federating has to beat the median hospital's own model."""


def main() -> None:
    """Run everything and write it down."""
    options = _options()
    config = json.loads(json.dumps(declared_config()))
    config["data"] = str(Path(options.data).resolve()) if options.data else ""
    settings = [Settings.of({**config, "seed": seed}) for seed in range(options.seeds)]
    found = [figures_of_seed(each) for each in settings]
    result = {"config": config, "seeds": found, "summary": summary(found)}
    Path(options.output).write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    print(table(found))


def declared_config() -> dict[str, Any]:
    """Return the configuration in the app's pyproject.toml."""
    path = Path(__file__).parent.parent / "pyproject.toml"
    return dict(tomllib.loads(path.read_text())["tool"]["flwr"]["app"]["config"])


def figures_of_seed(settings: Settings) -> dict[str, Any]:
    """Return one seed's run, and beside it what each part costs or brings.

    All on the held-out rows of the hospitals that are honest in the run.
    """
    outcome = journalled(settings)
    benefit = outcome.benefit
    return {
        "seed": settings.seed,
        "federated": benefit.federated_pooled,
        "median_alone": benefit.median_alone,
        "gain": benefit.gain,
        "median_own_gain": benefit.median_own_gain,
        "calibration_error": benefit.calibration.error,
        "liars": outcome.liars,
        "flagged": outcome.flagged,
        "epsilon": outcome.epsilon,
        "spent": max(outcome.spent.values(), default=0.0),
        "one_place": benefit.references[0].pooled,
        "fedavg": plain(settings),
        "no_noise": private_or_not(replace(settings, epsilon=0.0)),
        "no_noise_fedavg": plain(replace(settings, epsilon=0.0)),
    }


def journalled(settings: Settings) -> Outcome:
    """Run the app in this process with a journal that is thrown away, and judge it."""
    with tempfile.TemporaryDirectory() as home:
        journal = start_journal(RunFolder.create(Path(home), "figures"))
        strategy = strategy_of(settings, journal)
        model = trained(settings, strategy)
        return outcome_of(settings, study(settings, model), journal, strategy)


def private_or_not(settings: Settings) -> float:
    """Return the AUC of the app's own strategy with the same clients."""
    with tempfile.TemporaryDirectory() as home:
        journal = start_journal(RunFolder.create(Path(home), "figures"))
        return pooled_auc(settings, trained(settings, strategy_of(settings, journal)))


def plain(settings: Settings) -> float:
    """Return the AUC of Flower's FedAvg with the same clients, the liar among them."""
    every = settings.hospitals
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=every, min_available_nodes=every)
    return pooled_auc(settings, trained(settings, strategy))


def trained(settings: Settings, strategy: Any) -> Mapping[str, Any]:
    """Return the model of a run in this process, quietly."""
    config = settings.as_config()
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()),
        InProcessGrid(app, settings.hospitals, run_config=config) as grid,
    ):
        return train(settings, strategy, grid)


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means and deviations, and whether what must hold does."""
    numbers = {
        name: [each[name] for each in found]
        for name, value in found[0].items()
        if isinstance(value, float)
    }
    return {
        "mean": {name: fmean(values) for name, values in numbers.items()},
        "deviation": {
            name: stdev(values) if len(values) > 1 else 0.0 for name, values in numbers.items()
        },
        "seeds_with_margin": sum(each["gain"] >= MARGIN for each in found),
        "seeds_with_liar_flagged": sum(
            set(each["liars"]) <= set(each["flagged"]) for each in found
        ),
        "honest_flagged": sum(len(set(each["flagged"]) - set(each["liars"])) for each in found),
        "within_budget": all(each["spent"] <= (each["epsilon"] or 0) for each in found),
    }


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    columns = {
        "federated": "federated",
        "median_alone": "median own",
        "gain": "gain",
        "calibration_error": "calibration error",
        "spent": "epsilon spent",
        "one_place": "all rows in one place",
        "fedavg": "plain FedAvg",
        "no_noise": "without noise",
        "no_noise_fedavg": "FedAvg without noise",
    }
    lines = [
        f"| seed | {' | '.join(columns.values())} | excluded |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for each in found:
        cells = [f"{each[name]:.3f}" for name in columns]
        flagged = ", ".join(each["flagged"]) or "nobody"
        lines.append(f"| {each['seed']} | {' | '.join(cells)} | {flagged} |")
    said = summary(found)
    if len(found) > 1:
        cells = [f"{said['mean'][k]:.3f} ± {said['deviation'][k]:.3f}" for k in columns]
        lines.append(f"| mean | {' | '.join(cells)} | |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the example on several seeds.")
    parser.add_argument("--data", default="", help="path of support2.csv.gz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", default="figures.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()

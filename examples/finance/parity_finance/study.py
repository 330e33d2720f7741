"""The figures of the README: five seeds of every variant, as JSON.

    python -m parity_finance.study --seeds 5 --output results.json [--data FILE]

Everything runs in this process, one variant after another.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from types import MappingProxyType
from typing import Any, Final

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import recorddict_to_proto

from parity_finance import client_app, server_app
from parity_finance.outcome import Outcome, outcome_of
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID, InProcessGrid
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.files import atomic_file

Config = Mapping[str, Any]
VARIANTS: Final[Mapping[str, Config]] = MappingProxyType(
    {
        "network": {"model": "network"},
        "network, plain FedAvg": {"model": "network", "plain": True},
        "network, he": {"model": "network", "privacy": "he"},
        "forest": {"model": "forest"},
        "network, robust": {"model": "network", "mode": "robust"},
        "network, noise": {"model": "network", "attackers": "9:gaussian_noise"},
    }
)
"""What is compared; "plain" is the same run without reputation."""


class MeteredGrid(InProcessGrid):
    """Counts the bytes of all that the first bank sends and is sent, as Flower packs them."""

    def __init__(self, client_app: ClientApp, banks: int, *, run_config: Config) -> None:
        super().__init__(client_app, banks, run_config=dict(run_config))
        self.bytes = 0

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Deliver, wait, and count."""
        sent = list(messages)
        asked = [each.content for each in sent if each.metadata.dst_node_id == FIRST_NODE_ID]
        self.bytes += sum(map(_packed, asked))
        replies = super().send_and_receive(sent, timeout=timeout)
        for each in replies:
            if each.metadata.src_node_id == FIRST_NODE_ID and not each.has_error():
                self.bytes += _packed(each.content)
        return list(replies)


def _packed(content: RecordDict) -> int:
    return len(recorddict_to_proto(content).SerializeToString())


def defaults() -> dict[str, Any]:
    """Return the run configuration in pyproject.toml."""
    path = Path(__file__).parent.parent / "pyproject.toml"
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return dict(found["tool"]["flwr"]["app"]["config"])


def one_run(config: Config, *, plain: bool = False) -> tuple[Outcome, dict[str, float]]:
    """Run in this process and return what came out, and what it cost.

    Parameters
    ----------
    config : mapping
        A complete run configuration.
    plain : bool
        Without reputation: Flower's own averaging.
    """
    with tempfile.TemporaryDirectory() as place:
        journal = start_journal(RunFolder.create(Path(place)))
        journal.baseline = plain
        started, cpu = time.monotonic(), time.process_time()
        banks = int(config["banks"])
        with MeteredGrid(client_app.app, banks, run_config=config) as grid:
            context = Context(1, 1, {}, RecordDict(), dict(config))
            arrays, market, model = server_app.train(grid, context, journal)
            cost = {
                "seconds": time.monotonic() - started,
                "cpu_seconds": time.process_time() - cpu,
                "bytes_of_a_bank": float(grid.bytes),
            }
        return outcome_of(config, market, model, arrays, journal), cost


def figures(config: Config, *, plain: bool = False) -> dict[str, Any]:
    """Return one run's line of the table."""
    outcome, cost = one_run(config, plain=plain)
    benefit, riders = outcome.benefit, set(outcome.free_riders)
    earned = outcome.earned
    return {
        "seed": int(config["seed"]),
        "metric": benefit.metric,
        "federated": benefit.federated_pooled,
        "median_alone": benefit.median_alone,
        "gain": benefit.gain,
        "median_own_gain": benefit.median_own_gain,
        "banks_better_off": sum((each.own or 0.0) > 0 for each in benefit.gains if each.honest),
        "best_alone": max(each.alone_pooled for each in benefit.gains if each.honest),
        "in_one_place": benefit.references[0].pooled,
        "calibration_error": benefit.calibration.error,
        "riders_flagged": len(riders & set(outcome.flagged)),
        "honest_flagged": len(set(outcome.flagged) - riders),
        "rider_earned": sum(earned.get(name, 0.0) for name in riders),
        "honest_earned": median([earned.get(g.name, 0.0) for g in benefit.gains if g.honest]),
        **cost,
    }


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds, and what must hold, counted."""
    least = 0.05 if runs[0]["metric"] == "average precision" else 0.02
    names = [name for name, value in runs[0].items() if isinstance(value, float)]
    return {
        "seeds": len(runs),
        "mean": {name: mean(each[name] for each in runs) for name in names},
        "deviation": {name: stdev(each[name] for each in runs) for name in names}
        if len(runs) > 1
        else {},
        "least_gain": least,
        "gained": sum(each["gain"] >= least for each in runs),
        "riders_flagged": sum(each["riders_flagged"] for each in runs),
        "honest_flagged": sum(each["honest_flagged"] for each in runs),
    }


def study(
    seeds: int, *, more: Config, variants: Sequence[str] = tuple(VARIANTS)
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each variant's runs with their summary, as soon as it is done."""
    for name in variants:
        asked = dict(VARIANTS[name])
        plain = bool(asked.pop("plain", False))
        runs = [
            figures({**defaults(), **asked, **more, "seed": seed}, plain=plain)
            for seed in range(seeds)
        ]
        yield name, {"summary": summary(runs), "runs": runs}


def main() -> None:
    """Run the study and write or extend the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", default="", help="path of the credit defaults or frauds")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--name", default="loanapp", help="of this part of the file")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=Path, default=Path("results.json"))
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    more = {"data": options.data, **tomllib.loads("\n".join(options.set))}
    for name, found in study(options.seeds, more=more, variants=options.variants):
        _write(options.output, options.name, name, found)
        told = found["summary"]
        print(f"{options.name}, {name}: {json.dumps(told)}", flush=True)


def _write(path: Path, part: str, variant: str, found: Mapping[str, Any]) -> None:
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known.setdefault(part, {})[variant] = _rounded(found)
    with atomic_file(path) as file:
        file.write(json.dumps(known, indent=1, allow_nan=False).encode() + b"\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()

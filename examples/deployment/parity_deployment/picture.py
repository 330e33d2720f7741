"""Draw the timeline of a scenario: each node's reputation, and what was killed when."""

import datetime as dt
from pathlib import Path

from matplotlib.figure import Figure

from parity_deployment.scenario import Report, Scenario
from parity_deployment.submitting import journal
from parity_flwr.core.records import RoundRecord


def draw(scenario: Scenario, report: Report, path: Path) -> None:
    """Draw the run's rounds, and the report's kills and returns, over seconds."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.subplots()
    zero = dt.datetime.now(dt.UTC).timestamp() - report.elapsed
    names = sorted(scenario.names.items(), key=lambda pair: pair[1])
    for width, (identity, name) in enumerate(names):  # equal lines lie over each other
        points = [
            (at - zero, record.state.standings[identity].composite)
            for at, record in _rounds(scenario)
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=name, linewidth=6 - 2 * width)
    for at, text, _ in report.lines:
        if text.startswith(("kill", "SuperLink restarted")):
            axes.axvline(at, color="grey", linewidth=0.8, linestyle="--")
            axes.annotate(
                _short(text), (at, 0.03), xycoords=("data", "axes fraction"),
                rotation=90, fontsize=7, ha="right", va="bottom",
            )  # fmt: skip
    axes.set(xlabel="seconds since the script began", ylabel="reputation", xlim=(0, None))
    axes.set_title("Three SuperNodes: reputation after each round")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", fontsize=8)
    figure.savefig(path, dpi=100)


def _rounds(scenario: Scenario) -> list[tuple[float, RoundRecord]]:
    """Return each round of the first run with the time at which it was written."""
    found = []
    for entry in journal(scenario.federation, scenario.run_id).entries():
        record = entry.record
        if isinstance(record, RoundRecord):
            found.append((dt.datetime.fromisoformat(entry.written_at).timestamp(), record))
    return found


def _short(text: str) -> str:
    return text.partition(",")[0].partition(" with")[0]

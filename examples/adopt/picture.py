"""Draw adopt.png: the accuracy after each round, as the app was and with the three lines.

Run ``python examples/adopt/picture.py``; both variants run in this process.
"""

import json
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from parity_flwr.app.engines.engine import Engine, run_app
from parity_flwr.app.runs.folder import RunFolder

HERE = Path(__file__).resolve().parent


def curve(*, trust: bool) -> list[float]:
    """Run one variant with ten clients and return its accuracies, the first before round 1."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "curve.json")
        outcome = run_app(
            HERE,
            engine=Engine.INPROCESS,
            folder=RunFolder(Path(folder, "run")),
            num_clients=10,
            run_config_overrides=[f"trust={str(trust).lower()}", f"output='{output}'"],
        )
        if not outcome.completed:
            raise SystemExit(outcome.reason)
        return list(json.loads(output.read_text(encoding="utf-8")).values())


def main() -> None:
    """Run both variants and draw."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve(trust=True), marker="o", label="Reputation(FedAvg(...))")
    axes.plot(curve(trust=False), marker="x", label="FedAvg(...)")
    axes.set(xlabel="round", ylabel="accuracy", ylim=(0, 1))
    axes.set_title("Ten clients, one of them broken")
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    figure.savefig(HERE / "adopt.png", dpi=100)


if __name__ == "__main__":
    main()

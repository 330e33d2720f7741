"""Draw images.png: the accuracy after each round of a run, and of the same without reputation.

Run ``parity run examples/images --engine inprocess --baseline``, then
``python examples/images/picture.py``; another run is named by its id.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.baselines import read_baselines
from parity_flwr.app.report.view import metric_curve
from parity_flwr.app.runs.folder import RunFolder

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Draw the run that the first argument names, ``latest`` by default."""
    run = RunFolder.find((*sys.argv[1:], "latest")[0], Environment.read().home)
    evaluations = open_journal(run).evaluations()
    ours = metric_curve(evaluations, source="server", name="accuracy")
    stock = read_baselines(run.path).fedavg
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*ours, strict=True), marker="o", label="ReputationFedAvg")
    if stock is not None:
        axes.plot(*zip(*stock.curve, strict=True), marker="x", label="FedAvg")
    axes.set(xlabel="round", ylabel="accuracy", ylim=(0, 1))
    axes.set_title("Ten clients, three of them attack")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(HERE / "images.png", dpi=100)


if __name__ == "__main__":
    main()

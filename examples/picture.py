"""Draw the accuracy after each round of a run, and of the same without reputation.

After ``parity run examples/images --engine inprocess --baseline``:
``python examples/picture.py examples/images/images.png --title "Three of ten attack"``.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from parity_flwr.app.environment import Environment
from parity_flwr.app.journal import open_journal
from parity_flwr.app.report.baselines import read_baselines
from parity_flwr.app.report.view import metric_curve
from parity_flwr.app.runs.folder import RunFolder


def main() -> None:
    """Draw the run that the options name, ``latest`` by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--run", default="latest", help="a run with a baseline")
    parser.add_argument("--title", default="With reputation and without")
    options = parser.parse_args()
    run = RunFolder.find(options.run, Environment.read().home)
    evaluations = open_journal(run).evaluations()
    ours = metric_curve(evaluations, source="server", name="accuracy")
    stock = read_baselines(run.path).fedavg
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*ours, strict=True), marker="o", label="ReputationFedAvg")
    if stock is not None:
        axes.plot(*zip(*stock.curve, strict=True), marker="x", label="FedAvg")
    axes.set(xlabel="round", ylabel="accuracy", ylim=(0, 1), title=options.title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(options.picture, dpi=100)


if __name__ == "__main__":
    main()

"""The plots of a simulation: who earns what, and when cheating stops paying."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from parity_flwr.app.economy.outcome import Scenario, Verdict, break_even_bribe
from parity_flwr.app.economy.simulate import Simulation
from parity_flwr.core.economy.amounts import UNIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["png", "svg"]


def draw(simulation: Simulation, *, kind: Kind = "png") -> bytes:
    """Return one image: the mean cheat's net over the rounds, and the bribe that it takes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    groups = simulation.by_attack()
    _draw_net(left, list(groups.values()))
    _draw_bribes(right, [(simulation.verdict(group), group) for group in groups.values()])
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None}
    figure.savefig(buffer, format=kind, dpi=120, metadata=metadata)
    return buffer.getvalue()


def _draw_net(panel: Axes, groups: list[list[Scenario]]) -> None:
    seed = groups[0][0].seed
    honest = groups[0][0].mean_history()[1]
    rounds = range(1, len(honest) + 1)
    panel.plot(rounds, _tokens(honest), "--", color="black", linewidth=2, label="honest")
    for group in groups:
        cheating = group[0].mean_history()[0]
        panel.plot(rounds, _tokens(cheating), label=group[0].attack)
    panel.axhline(0, color="grey", linewidth=0.6)
    panel.set_xlabel("round")
    panel.set_ylabel("tokens: rewards - slashes - costs")
    panel.set_title(f"the mean cheat, seed {seed}")
    panel.legend(fontsize="x-small")
    panel.grid(alpha=0.3)


def _draw_bribes(panel: Axes, verdicts: list[tuple[Verdict, list[Scenario]]]) -> None:
    names = [verdict.attack for verdict, _ in verdicts]
    bribes = [break_even_bribe(*each) for each in verdicts]
    panel.barh(names, [0 if bribe is None else bribe / UNIT for bribe in bribes])
    for row, bribe in enumerate(bribes):
        text = "never earned" if bribe is None else f"{bribe / UNIT:.1f}"
        panel.text(0, row, f" {'pays without one' if bribe == 0 else text}", va="center")
    panel.invert_yaxis()
    panel.set_xlabel("tokens a round of uncaught cheating")
    panel.set_title("bribe from which cheating pays")
    panel.grid(axis="x", alpha=0.3)


def _tokens(amounts: list[int]) -> list[float]:
    return [amount / UNIT for amount in amounts]

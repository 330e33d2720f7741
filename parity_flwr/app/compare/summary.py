"""The Markdown table of a comparison: accuracy, detection, convergence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from statistics import fmean, pstdev
from typing import Any

from parity_flwr.app.compare.attack_names import ATTACKS
from parity_flwr.app.compare.contenders import CONTENDERS, ORACLE
from parity_flwr.app.compare.detection import rounds_to
from parity_flwr.app.compare.plan import Cell, cell_of
from parity_flwr.app.compare.simulation import CONVERGED

Record = Mapping[str, Any]
Place = tuple[str, float]  # partition, fraction
Group = Mapping[str, Mapping[str, Sequence[Record]]]  # strategy -> attack -> its seeds


def markdown(records: Iterable[Record]) -> str:
    """Return the tables of all partitions and fractions.

    Accuracies are the mean over the seeds in %, with the standard deviation where a cell has
    several seeds.
    """
    kept = list(records)
    parts = [
        "# Comparison\n",
        "Test accuracy in %, mean over the seeds and their standard deviation. `worst` and",
        "`mean` are over the attacks.\n",
    ]
    for (partition, fraction), group in grouped(kept):
        parts += [f"## {partition}, {fraction:.0%} attackers\n", *_accuracies(group), ""]
        parts += _detection(group)
    parts += _convergence(kept)
    return "\n".join(parts).rstrip() + "\n"


def grouped(records: Iterable[Record]) -> Iterator[tuple[Place, Group]]:
    """Yield the records of each partition and fraction, in the order of the registries."""

    def place(record: Record) -> Place:
        return str(record["partition"]), float(record["fraction"])

    for where, some in groupby(sorted(records, key=place), key=place):
        group: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in sorted(some, key=_position):
            group[record["strategy"]][record["attack"]].append(record)
        yield where, group


def mean_accuracy(records: Sequence[Record]) -> float:
    """Return the mean accuracy over the seeds of a cell."""
    return fmean(float(record["accuracy"]) for record in records)


def _position(record: Record) -> tuple[int, int, int]:
    cell = cell_of(record)
    names, attacks = list(CONTENDERS), list(ATTACKS)
    return names.index(cell.strategy), attacks.index(cell.attack), cell.seed


def _accuracies(group: Group) -> list[str]:
    attacks = [name for name in ATTACKS if any(name in row for row in group.values())]
    lines = [_row("strategy", *attacks, "worst", "mean"), _rule(len(attacks) + 3)]
    for strategy, row in group.items():
        means = [mean_accuracy(records) for records in row.values()]
        shown = [_spread(row[name]) if name in row else "" for name in attacks]
        lines.append(_row(strategy, *shown, _percent(min(means)), _percent(fmean(means))))
    return lines


def _spread(records: Sequence[Record]) -> str:
    values = [float(record["accuracy"]) for record in records]
    text = _percent(fmean(values))
    return f"{text} ± {100 * pstdev(values):.1f}" if len(values) > 1 else text


def _detection(group: Group) -> list[str]:
    """Return how reputation did as a detector; nothing for strategies without one."""
    lines = []
    for strategy, row in group.items():
        for attack, records in row.items():
            if records[0].get("fell") is not None:
                lines.append(_row(strategy, attack, *_found(records)))
    if not lines:
        return []
    names = ("AUC", "attackers excluded", "median round", "honest ever", "honest at end")
    head = _row("detector", "attack", *names, "attackers' share of the weight")
    return [head, _rule(8), *lines, ""]


def _found(records: Sequence[Record]) -> list[str]:
    areas = [float(each["auc"]) for each in records if each["auc"] is not None]
    fell = [when for each in records for when in each["fell"]]
    rounds = sorted(when for when in fell if when is not None)
    ever = sum(len(each["honest_excluded_ever"]) for each in records)
    end = sum(len(each["honest_excluded_end"]) for each in records)
    return [
        f"{fmean(areas):.3f}" if areas else "",
        f"{len(rounds)} of {len(fell)}",
        str(rounds[len(rounds) // 2]) if rounds else "",
        str(ever),
        str(end),
        _thirds([each.get("attackers_share") or () for each in records]),
    ]


def _thirds(shares: Sequence[Sequence[float]]) -> str:
    """Return the mean share in each third of the run: on-off attackers strike in the second."""
    if not all(shares):
        return ""
    thirds = [
        fmean(
            fmean(each[k * len(each) // 3 : max(1, (k + 1) * len(each) // 3)])
            for each in shares
        )
        for k in range(3)
    ]
    return ", ".join(f"{share:.1%}" for share in thirds)


def _convergence(records: Sequence[Record]) -> list[str]:
    """Return the rounds to 90 % of the final accuracy: the own one, and the oracle's.

    A strategy that ends badly is soon at 90 % of its own; the oracle's on the same seed is
    the same goal for all.
    """
    goal = {
        _same(cell_of(record)): CONVERGED * float(record["accuracy"])
        for record in records
        if record["strategy"] == ORACLE
    }
    lines = []
    for (partition, fraction), group in grouped(records):
        for strategy, row in group.items():
            cells = [each for some in row.values() for each in some]
            own = [each["rounds_to_90"] for each in cells]
            common = [
                rounds_to(each["curve"], goal[_same(cell_of(each))])
                for each in cells
                if _same(cell_of(each)) in goal
            ]
            shown = (_mean_round(own), _mean_round(common), _count(common))
            lines.append(_row(partition, f"{fraction:.0%}", strategy, *shown))
    names = ("of its own", "of the oracle's", "reached the oracle's")
    head = _row("partition", "attackers", "strategy", *names)
    return ["## Mean rounds to 90 % of the final accuracy\n", head, _rule(6), *lines]


def _same(cell: Cell) -> tuple[str, str, float, int]:
    return cell.partition, cell.attack, cell.fraction, cell.seed


def _mean_round(rounds: Sequence[int | None]) -> str:
    there = [when for when in rounds if when is not None]
    return f"{fmean(there):.1f}" if there else ""


def _count(rounds: Sequence[int | None]) -> str:
    return f"{sum(when is not None for when in rounds)} of {len(rounds)}" if rounds else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns

"""The study's file as the table of the README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = (
    "data, model", "metric", "federated", "median own", "gain", "held", "own customers",
    "in one place", "flagged: rider, honest", "tokens: rider, honest", "CPU s", "kB a bank",
)  # fmt: skip


def markdown(results: Mapping[str, Any]) -> str:
    """Return the table: means over the seeds, with the gain's standard deviation."""
    return "\n".join(_lines(results))


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    yield f"| {' | '.join(_HEAD)} |"
    yield "|---" * len(_HEAD) + "|"
    for data, variants in results.items():
        for variant, found in variants.items():
            cells = _cells(found["summary"], found["runs"])
            yield f"| {data}, {variant} | {' | '.join(cells)} |"


def _cells(summary: Mapping[str, Any], runs: list[Mapping[str, Any]]) -> Iterator[str]:
    mean, seeds = summary["mean"], summary["seeds"]
    yield runs[0]["metric"]
    yield _points(mean["federated"])
    yield _points(mean["median_alone"])
    yield f"{100 * mean['gain']:+.1f} ± {100 * summary['deviation']['gain']:.1f}"
    yield f"{summary['gained']} of {seeds}"
    yield f"{100 * mean['median_own_gain']:+.1f}"
    yield _points(mean["in_one_place"])
    yield f"{summary['riders_flagged']} of {seeds}, {summary['honest_flagged']}"
    yield f"{mean['rider_earned']:.0f}, {mean['honest_earned']:.0f}"
    yield f"{mean['cpu_seconds']:.1f}"
    yield f"{mean['bytes_of_a_bank'] / 1000:.0f}"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"

"""The tables of `parity bench`."""

from __future__ import annotations

from typing import Any

from parity_flwr.cli.output import Output, plain_table

_FOREST = ("pooled", "pooled_alike", "federated", "honest", "attacked", "undefended")


def draw_aggregate(out: Output, result: dict[str, Any]) -> None:
    """Draw every case, and the ratios of the last size."""
    cases = plain_table(
        "rule", "of", "n", "d", "CPU s", "MiB", right=("n", "d", "CPU s", "MiB")
    )
    for each in result["cases"]:
        cases.add_row(
            each["name"],
            each["impl"],
            f"{each['n']}",
            f"{each['d']}",
            f"{each['cpu_s']:.4f}",
            f"{each['extra_mib']:.1f}",
        )
    out.table(cases)
    last = result["ratios_by_size"][-1]
    out.line(f"our time over theirs, n = {last['n']}, d = {last['d']}:")
    table = plain_table("ratio", "value", right=("value",))
    for name, value in result["ratios"].items():
        table.add_row(name, f"{value:.3f}")
    out.table(table)
    for name, reason in result["skipped"].items():
        out.line(f"{name}: {reason}")


def draw_overhead(out: Output, result: dict[str, Any]) -> None:
    """Draw what both strategies cost a round."""
    table = plain_table(
        "strategy", "round, s", "CPU s", "share", right=("round, s", "CPU s", "share")
    )
    for name, each in result["strategies"].items():
        table.add_row(
            name, f"{each['wall_s']:.2f}", f"{each['cpu_s']:.4f}", f"{each['share']:.2%}"
        )
    out.table(table)
    out.line(f"reputation costs {result['overhead']:.2%} of a round more than FedAvg")


def draw_figures(out: Output, figures: dict[str, Any]) -> None:
    """Draw figures by name."""
    table = plain_table("figure", "value", right=("value",))
    for name, value in figures.items():
        if isinstance(value, float):
            table.add_row(name, f"{value:.6g}")
    out.table(table)
    for name, reason in figures.get("skipped", {}).items():
        out.line(f"{name}: {reason}")


def draw_forest(out: Output, result: dict[str, Any]) -> None:
    """Draw the accuracies of forests, in percent."""
    table = plain_table("data", "seeds", *_FOREST, "holds", right=("seeds", *_FOREST))
    for each in result["cases"]:
        figures = [f"{each[name]:.2f}" for name in _FOREST]
        holds = "yes" if each["holds"] else "no"
        table.add_row(each["name"], str(each["seeds"]), *figures, holds)
    out.table(table)


def draw_gas(out: Output, found: dict[str, dict[str, int]]) -> None:
    """Draw gas by transaction and number of participants."""
    counts = tuple(found["round"])
    table = plain_table("gas", *counts, right=counts)
    for name, used in found.items():
        table.add_row(name.replace("_", " "), *(f"{used[count]:,}" for count in counts))
    out.table(table)

"""The report as data: everything the template shows, and nothing it must compute."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity_flwr.app.chains.summary import ChainSummary
from parity_flwr.app.report.baselines import Baselines
from parity_flwr.app.report.chain_section import ChainSection, chain_section
from parity_flwr.app.report.charts import LineChart
from parity_flwr.app.report.curves import accuracy_chart, reputation_chart, weight_chart
from parity_flwr.app.report.tables import (
    QuarantineReason,
    StandingRow,
    Timeline,
    quarantine_reasons,
    standing_rows,
    timeline,
)
from parity_flwr.app.report.view import excluded_identities, headline_metric, metric_curve
from parity_flwr.app.text import printable
from parity_flwr.app.verification.verify import Verification
from parity_flwr.core.config import ReputationConfig
from parity_flwr.core.records import (
    EvaluationRecord,
    RoundRecord,
    RoundStatus,
    RunHeader,
)

_MOST_METRICS = 12


@dataclass(frozen=True, kw_only=True)
class RunData:
    """Everything read from one run's folder."""

    run_id: str
    header: RunHeader | None
    rounds: Sequence[RoundRecord]
    evaluations: Sequence[EvaluationRecord]
    status: str
    reason: str = ""
    created: str = ""
    finished: str = ""
    baselines: Baselines = field(default_factory=Baselines)
    verification: Verification | None = None
    chain: ChainSummary | None = None


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure of the headline."""

    label: str
    value: str
    note: str = ""
    css: str = ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the template shows."""

    run_id: str
    status: str
    reason: str
    tiles: tuple[Tile, ...]
    summary: str
    accuracy: LineChart | None
    accuracy_rows: tuple[tuple[int, str, str, str], ...]
    metric: str
    other_metrics: tuple[tuple[str, str], ...]
    reputation: LineChart | None
    weights: LineChart | None
    standings: tuple[StandingRow, ...]
    standings_left_out: int
    timeline: Timeline
    quarantines: tuple[QuarantineReason, ...]
    verification: Verification | None
    chain: ChainSection | None
    facts: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    config: str


def exclusion_threshold(header: RunHeader | None) -> float:
    """Return the reputation below which this run's clients had no say."""
    reputation = header.config.get("reputation") if header is not None else None
    value = reputation.get("exclusion_threshold") if isinstance(reputation, Mapping) else None
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if usable else ReputationConfig().exclusion_threshold  # type: ignore[arg-type]


def figure(value: float | None, *, name: str) -> str:
    """Format a metric: accuracies as percent, the rest with four digits."""
    if value is None:
        return "–"
    return f"{value:.1%}" if "acc" in name and 0 <= value <= 1 else f"{value:.4g}"


def _by_round(curve: Sequence[tuple[int, float]], name: str) -> dict[int, str]:
    return {number: figure(value, name=name) for number, value in curve}


def _accuracy_rows(
    ours: Sequence[tuple[int, float]], baselines: Baselines, name: str
) -> tuple[tuple[int, str, str, str], ...]:
    columns = [
        _by_round(curve, name)
        for curve in (ours, baselines.fedavg.curve, baselines.oracle.curve)
    ]
    rounds = sorted(set().union(*columns))
    return tuple(
        (
            number,
            columns[0].get(number, "–"),
            columns[1].get(number, "–"),
            columns[2].get(number, "–"),
        )
        for number in rounds
    )


def _accuracy_tiles(ours: float | None, baselines: Baselines, name: str) -> list[Tile]:
    fedavg, oracle = baselines.fedavg.final, baselines.oracle.final
    tiles = [Tile(label=f"{name}, this run", value=figure(ours, name=name), css="ours")]
    if fedavg is not None:
        note = "same clients, same seed, no reputation"
        tiles.append(
            Tile(label="FedAvg", value=figure(fedavg, name=name), note=note, css="fedavg")
        )
    if oracle is not None:
        note = "FedAvg over the honest clients alone"
        tiles.append(
            Tile(label="oracle", value=figure(oracle, name=name), note=note, css="oracle")
        )
    return tiles


def _other_metrics(
    evaluations: Sequence[EvaluationRecord], headline: str
) -> tuple[tuple[str, str], ...]:
    """Return what else the server measured on the last model, by name."""
    last = [each for each in evaluations if each.source == "server"][-1:]
    metrics = last[0].metrics if last else {}
    named = sorted(name for name in metrics if name != headline)[:_MOST_METRICS]
    return tuple(
        (printable(each, limit=40), figure(metrics[each], name=each)) for each in named
    )


def _count_tiles(data: RunData, excluded: Sequence[str]) -> list[Tile]:
    known = len(data.rounds[-1].state.standings) if data.rounds else 0
    accepted = sum(r.decision.status is RoundStatus.ACCEPTED for r in data.rounds)
    return [
        Tile(
            label="rounds accepted",
            value=f"{accepted} of {len(data.rounds)}",
            note=f"{data.header.num_rounds} planned" if data.header is not None else "",
        ),
        Tile(label="clients excluded at the end", value=f"{len(excluded)} of {known}"),
    ]


def _summary(data: RunData, excluded: Sequence[str]) -> str:
    if not data.rounds:
        return "No round stands in the journal."
    if not excluded:
        return "No client was excluded at the end of the run."
    named = ", ".join(printable(name, limit=64) for name in excluded[:20]) + (
        " …" if len(excluded) > 20 else ""
    )
    return f"Excluded at the end of the run: {named}."


def _facts(data: RunData) -> tuple[tuple[str, str], ...]:
    header, last = data.header, data.rounds[-1] if data.rounds else None
    pairs = [
        ("run", data.run_id),
        ("status", data.status),
        ("started", data.created),
        ("finished", data.finished),
        ("strategy", f"{header.strategy} around {header.inner}" if header is not None else ""),
        ("mode", header.environment.get("mode", "") if header is not None else ""),
        ("seed", "" if header is None or header.seed is None else str(header.seed)),
        ("model hash (SHA-256)", last.model_hash if last is not None else ""),
        ("first model's hash", header.model_hash if header is not None else ""),
        ("sketch commitment", header.sketch_commitment if header is not None else ""),
    ]
    return tuple((name, value) for name, value in pairs if value)


def make_page(data: RunData) -> Page:
    """Turn what was read into what is shown."""
    threshold = exclusion_threshold(data.header)
    excluded = excluded_identities(data.rounds[-1], threshold=threshold) if data.rounds else ()
    source, name = headline_metric(data.evaluations) or ("server", "accuracy")
    ours = metric_curve(data.evaluations, source=source, name=name)
    standings = standing_rows(data.rounds, excluded=excluded)
    config: Mapping[str, Any] = data.header.config if data.header is not None else {}
    return Page(
        run_id=data.run_id,
        status=data.status,
        reason=data.reason,
        tiles=(
            *_accuracy_tiles(ours[-1][1] if ours else None, data.baselines, name),
            *_count_tiles(data, excluded),
        ),
        summary=_summary(data, excluded),
        other_metrics=_other_metrics(data.evaluations, name) if source == "server" else (),
        metric=f"{name} ({'evaluated by the server' if source == 'server' else 'clients say'})",
        accuracy=accuracy_chart(ours, data.baselines, name=name),
        accuracy_rows=_accuracy_rows(ours, data.baselines, name),
        reputation=reputation_chart(data.rounds, excluded=excluded, threshold=threshold),
        weights=weight_chart(data.rounds, excluded=excluded),
        standings=standings.rows,
        standings_left_out=standings.left_out,
        timeline=timeline(data.rounds, excluded=excluded),
        quarantines=quarantine_reasons(data.rounds),
        verification=data.verification,
        chain=None if data.chain is None else chain_section(data.chain),
        facts=_facts(data),
        environment=tuple(sorted(data.header.environment.items())) if data.header else (),
        config=json.dumps(config, indent=2, sort_keys=True, default=str),
    )

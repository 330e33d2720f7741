"""Reputation as a pure state machine: one standing, one round's facts, the next standing.

A dimension earns only on sound work: each event is D_i = soundness * formula (P-8 to P-10).
Without that factor a punctual, well-formed liar keeps a composite above the exclusion
threshold in every convex combination of the four dimensions (*decided*).
"""

from __future__ import annotations

from dataclasses import replace

from parity_flwr.core import dimensions
from parity_flwr.core.config import Four, ReputationConfig
from parity_flwr.core.evolution import SCALE, composite, evolve
from parity_flwr.core.records import ReplyFacts, ReputationState, Standing, Verdict

Event = tuple[float | None, float | None, float | None, float | None]
"""D_i of one round by dimension; None where nothing happened."""

NO_EVENT: Event = (None, None, None, None)


def newcomer(config: ReputationConfig) -> Standing:
    """Return the standing of an identity that nobody has seen: R_0 in every dimension.

    Examples
    --------
    >>> newcomer(ReputationConfig()).composite
    500.0
    """
    scores = (config.initial, config.initial, config.initial, config.initial)
    return Standing(scores=scores, composite=composite(scores, config.dimension_weights))


def standing_of(state: ReputationState, identity: str, config: ReputationConfig) -> Standing:
    """Return the identity's standing, a newcomer's if there is none yet."""
    return state.standings.get(identity) or newcomer(config)


def is_excluded(standing: Standing, config: ReputationConfig) -> bool:
    """Return whether a client with this standing has no weight (P-3 *decided*).

    It is banned, its composite is below the threshold, or it fell below and has not been
    clean for long enough since (:mod:`parity_flwr.core.readmission`).
    """
    fallen = standing.composite < config.exclusion_threshold or standing.owed > 0
    return standing.banned or fallen


def observe(
    standing: Standing,
    facts: ReplyFacts,
    *,
    soundness: float | None,
    pace: tuple[float, float],
    config: ReputationConfig,
) -> tuple[Standing, Event]:
    """Return the standing with this round's facts counted, and the event they make.

    ``soundness`` in [0, 1] says how far the reply counts as sound work, None that too few
    replies came to tell; ``pace`` holds the
    bounded ratios of response time and throughput (1/2 each on a virtual clock). The scores
    themselves move in :func:`settle`.
    """
    if facts.verdict is Verdict.ABSTAINED:
        return replace(standing, rounds=standing.rounds + 1), NO_EVENT
    if facts.fault:
        return _observe_fault(standing, config)
    if facts.verdict is not Verdict.ACCEPTED:
        return _observe_refusal(standing, config)
    if soundness is None:
        return _observe_unjudged(standing, facts, config)
    return _observe_reply(standing, facts, soundness, pace, config)


def _observe_fault(standing: Standing, config: ReputationConfig) -> tuple[Standing, Event]:
    """Count a drop-out: an event for reliability, not for quality (P-7 *decided*).

    Faults alone leave quality and the social score as they were, so they never exclude.
    """
    decay = config.history_decay
    counted = replace(
        standing,
        rounds=standing.rounds + 1,
        faults=standing.faults + 1,
        success=decay * standing.success,
        attendance=decay * standing.attendance,
    )
    return counted, (0.0, None, 0.0, None)


def _observe_refusal(standing: Standing, config: ReputationConfig) -> tuple[Standing, Event]:
    """Count a reply that the gate refused: no work at all."""
    decay = config.history_decay
    counted = replace(
        standing,
        rounds=standing.rounds + 1,
        quarantines=standing.quarantines + 1,
        success=decay * standing.success,
        history=decay * standing.history,
        spread=decay * standing.spread + (1 - decay),
    )
    return counted, (0.0, 0.0, 0.0, None)


def _observe_unjudged(
    standing: Standing, facts: ReplyFacts, config: ReputationConfig
) -> tuple[Standing, Event]:
    """Count a reply that passed the gate and that nothing could be compared with (*decided*).

    It earns nothing and costs nothing: no score rises above R_0, none falls. One below R_0
    moves towards it, or a refusal would never be forgiven in a federation of three. What
    others scored is evidence all the same.
    """
    decay, start = config.history_decay, config.initial / SCALE
    back = [start if score < config.initial else None for score in standing.scores]
    quality = back[1] if facts.quality is None else _quality(facts, config)
    scored = standing.history if facts.quality is None else facts.quality
    counted = replace(
        standing,
        rounds=standing.rounds + 1,
        history=decay * standing.history + (1 - decay) * scored,
        attendance=decay * standing.attendance + (1 - decay),
        response=_mean_time(standing.response, facts.time_s, decay),
    )
    return counted, (back[0], quality, back[2], None)


def _quality(facts: ReplyFacts, config: ReputationConfig) -> float:
    return dimensions.quality(
        1.0 if facts.quality is None else facts.quality,
        1.0,
        1.0,
        facts.figures.get("contribution", dimensions.NEUTRAL),
        weights=config.quality,
    )


def _observe_reply(
    standing: Standing,
    facts: ReplyFacts,
    soundness: float,
    pace: tuple[float, float],
    config: ReputationConfig,
) -> tuple[Standing, Event]:
    counted = _count(standing, facts, soundness, config)
    response, throughput = pace
    formulas = (
        dimensions.performance(
            counted.success,
            response,
            counted.attendance,
            throughput,
            weights=config.performance,
        ),
        _quality(facts, config),
        _consistency(counted, config),
    )
    performance, quality, consistency = (soundness * formula for formula in formulas)
    return counted, (performance, quality, consistency, None)


def _count(
    standing: Standing, facts: ReplyFacts, soundness: float, config: ReputationConfig
) -> Standing:
    decay = config.history_decay
    seen = 1 - decay
    norm = facts.norm or 0.0
    output = soundness if facts.quality is None else soundness * facts.quality
    expected = standing.success
    return replace(
        standing,
        rounds=standing.rounds + 1,
        history=decay * standing.history + seen * output,
        success=decay * standing.success + seen * soundness,
        attendance=decay * standing.attendance + seen,
        response=_mean_time(standing.response, facts.time_s, decay),
        spread=decay * standing.spread + seen * (1 - soundness) ** 2,
        surprise=decay * standing.surprise + seen * abs(soundness - expected),
        stability=decay * standing.stability + seen * _steadiness(standing.norm, norm),
        norm=norm,
    )


def _mean_time(mean: float, latest: float, decay: float) -> float:
    return latest if mean == 0 else decay * mean + (1 - decay) * latest


def _steadiness(previous: float, current: float) -> float:
    """Return min/max of two successive norms, 1 if either is unknown."""
    if previous == 0 or current == 0:
        return 1.0
    return min(previous, current) / max(previous, current)


def _consistency(standing: Standing, config: ReputationConfig) -> float:
    return dimensions.consistency(
        standing.spread,
        standing.attendance,
        1 - standing.surprise,
        standing.stability,
        weights=config.consistency,
    )


def settle(
    standing: Standing, event: Event, *, dimension_weights: Four, config: ReputationConfig
) -> Standing:
    """Return the standing after its scores moved with the event (P-7, P-12)."""
    moved = [
        evolve(score, value, config=config)
        for score, value in zip(standing.scores, event, strict=True)
    ]
    scores = (moved[0], moved[1], moved[2], moved[3])
    return replace(standing, scores=scores, composite=composite(scores, dimension_weights))

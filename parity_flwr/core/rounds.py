"""One round as a pure function: facts in, decision and next state out (Algorithm 1).

``decide`` sees only what the journal holds, so that anybody can replay a run from its
journal and must get the same decisions and the same states, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.dimensions import NEUTRAL, bounded_ratio
from parity_flwr.core.evidence import weigh_evidence
from parity_flwr.core.evolution import adapt
from parity_flwr.core.readmission import hold_back
from parity_flwr.core.records import (
    Action,
    ReplyDecision,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundStatus,
    Standing,
    Verdict,
)
from parity_flwr.core.reputation import (
    NO_EVENT,
    Event,
    is_excluded,
    observe,
    settle,
    standing_of,
)
from parity_flwr.core.shares import share_weights
from parity_flwr.core.soundness import clean_replies, soundness_of
from parity_flwr.core.validation import validate
from parity_flwr.core.weights import cap_examples
from parity_flwr.errors import JournalError

Observed = Mapping[str, tuple[Standing, Event]]


def decide(
    state: ReputationState, facts: RoundFacts, config: TrustConfig
) -> tuple[ReputationState, RoundDecision]:
    """Weigh one round's replies and let reputation move (P-2 to P-12).

    Parameters
    ----------
    state : ReputationState
        Reputation before the round.
    facts : RoundFacts
        What was seen of each selected client.
    config : TrustConfig
        Every constant.

    Returns
    -------
    tuple[ReputationState, RoundDecision]
        Reputation after the round, and each client's weight c_k. The weights sum to 1 in an
        accepted round (to less than 1 under the paper's un-normalised Eq. 2). With ballots
        in the facts the committee has the last word.
    """
    state = apply_actions(state, facts.actions, config)
    accepted = [reply for reply in facts.replies if reply.verdict is Verdict.ACCEPTED]
    evidence = weigh_evidence(accepted, config.robustness)
    weighed = share_weights(state, accepted, evidence, config)
    soundness = soundness_of(weighed, config)
    observed = _observe_all(state, facts.replies, soundness, config)
    decision = _conclude(state, facts, weighed, observed, config)
    after = _advance(state, facts, observed, config)
    if facts.ballots and decision.status is RoundStatus.ACCEPTED:
        after, decision = validate(state, after, facts=facts, decision=decision, config=config)
    clean = clean_replies(facts.replies, soundness)
    after = hold_back(state, after, clean=clean, config=config.reputation)
    return _note_applied(after, decision), decision


def apply_actions(
    state: ReputationState, actions: Sequence[Action], config: TrustConfig
) -> ReputationState:
    """Return the state after bans and pardons; a ban outlives any score.

    Raises
    ------
    JournalError
        If an action is neither: a ban with a typing error must not pardon.
    """
    standings = dict(state.standings)
    for action in actions:
        _check_kind(action)
        standing = standings.get(action.identity) or standing_of(
            state, action.identity, config.reputation
        )
        standings[action.identity] = replace(standing, banned=action.kind == "ban")
    return replace(state, standings=standings)


def _check_kind(action: Action) -> None:
    if action.kind not in ("ban", "unban"):
        raise JournalError(
            "an action needs the kind 'ban' or 'unban'",
            came=repr(action.kind[:40]),
            action="correct it",
        )


def excluded_identities(state: ReputationState, config: TrustConfig) -> tuple[str, ...]:
    """Return the identities without weight in this state, sorted."""
    standings = sorted(state.standings.items())
    return tuple(name for name, each in standings if is_excluded(each, config.reputation))


def _observe_all(
    state: ReputationState,
    replies: Sequence[ReplyFacts],
    soundness: Mapping[str, float | None],
    config: TrustConfig,
) -> Observed:
    paces = _paces(replies, config)
    return {
        reply.identity: observe(
            standing_of(state, reply.identity, config.reputation),
            reply,
            soundness=soundness.get(reply.identity),
            pace=paces.get(reply.identity, (NEUTRAL, NEUTRAL)),
            config=config.reputation,
        )
        for reply in replies
    }


def _paces(
    replies: Sequence[ReplyFacts], config: TrustConfig
) -> Mapping[str, tuple[float, float]]:
    """Return the bounded ratios of response time and throughput, with a real clock only.

    Throughput counts capped n_k: one claim of 2^31 would make all others look idle.
    """
    if not config.real_clock:
        return {}
    timed = [r for r in replies if r.verdict is Verdict.ACCEPTED and r.time_s > 0]
    if not timed:
        return {}
    claimed = np.array([r.num_examples or 0 for r in timed], np.float64)
    examples = cap_examples(claimed, factor=config.weights.examples_factor).tolist()
    rates = {r.identity: n / r.time_s for r, n in zip(timed, examples, strict=True)}
    mean_time = math.fsum(r.time_s for r in timed) / len(timed)
    mean_rate = math.fsum(rates.values()) / len(timed)
    return {
        r.identity: (
            bounded_ratio(mean_time, r.time_s),
            bounded_ratio(rates[r.identity], mean_rate),
        )
        for r in timed
    }


def _conclude(
    state: ReputationState,
    facts: RoundFacts,
    weighed: Mapping[str, ReplyDecision],
    observed: Observed,
    config: TrustConfig,
) -> RoundDecision:
    status, reason = _status(facts, weighed, config)
    replies = [
        replace(
            weighed.get(reply.identity) or _unweighed(state, reply.identity, config),
            dimensions=_dimensions(observed[reply.identity][1]),
        )
        for reply in facts.replies
    ]
    if status is RoundStatus.REJECTED:
        replies = [replace(each, weight=0.0) for each in replies]
    return RoundDecision(status=status, reason=reason, replies=tuple(replies))


def _unweighed(state: ReputationState, identity: str, config: TrustConfig) -> ReplyDecision:
    standing = standing_of(state, identity, config.reputation)
    return ReplyDecision(identity=identity, excluded=is_excluded(standing, config.reputation))


def _dimensions(event: Event) -> tuple[float, float, float, float] | None:
    """Return the event as four numbers, the neutral 1/2 where nothing happened."""
    if all(value is None for value in event):
        return None
    filled = [NEUTRAL if value is None else value for value in event]
    return (filled[0], filled[1], filled[2], filled[3])


def _status(
    facts: RoundFacts, weighed: Mapping[str, ReplyDecision], config: TrustConfig
) -> tuple[RoundStatus, str]:
    # Rounded first: 0.07 * 100 is 7.000000000000001.
    needed = max(1, math.ceil(round(config.quorum * len(facts.replies), 6)))
    if len(weighed) < needed:
        reason = f"quorum: {needed} of {len(facts.replies)} replies needed, {len(weighed)} came"
        return RoundStatus.REJECTED, reason
    if not any(each.weight > 0 for each in weighed.values()):
        return RoundStatus.REJECTED, "no reply has any weight"
    if len(weighed) < config.robustness.min_replies:
        return RoundStatus.ACCEPTED, f"{len(weighed)} replies: capped weighted mean"
    return RoundStatus.ACCEPTED, ""


def _advance(
    state: ReputationState, facts: RoundFacts, observed: Observed, config: TrustConfig
) -> ReputationState:
    rules = config.reputation
    weights = adapt(state.dimension_weights, _judged(state, facts, config), config=rules)
    standings = dict(state.standings)
    for reply in facts.replies:
        counted, event = observed[reply.identity]
        settled = settle(counted, event, dimension_weights=weights, config=rules)
        standings[reply.identity] = _bind(settled, reply)
    for identity, standing in state.standings.items():
        if identity not in observed:
            # No event; but the paper's Eq. 7 forgets, and the composite's weights may move.
            standings[identity] = settle(
                standing, NO_EVENT, dimension_weights=weights, config=rules
            )
    return ReputationState(
        standings=dict(sorted(standings.items())), dimension_weights=weights, round=facts.round
    )


def _note_applied(state: ReputationState, decision: RoundDecision) -> ReputationState:
    """Return the state with everybody's coefficient in the step that the model just took."""
    weights = {each.identity: each.weight for each in decision.replies}
    standings = {
        name: replace(standing, applied=weights.get(name, 0.0))
        for name, standing in state.standings.items()
    }
    return replace(state, standings=standings)


def _judged(
    state: ReputationState, facts: RoundFacts, config: TrustConfig
) -> list[tuple[tuple[float, float, float, float], float]]:
    """Pair the scores before the round with the quality that others saw (P-12)."""
    return [
        (standing_of(state, reply.identity, config.reputation).scores, reply.quality)
        for reply in facts.replies
        if reply.verdict is Verdict.ACCEPTED and reply.quality is not None
    ]


def _bind(standing: Standing, reply: ReplyFacts) -> Standing:
    """Bind the identity to the first key that signed for it."""
    if reply.verdict is not Verdict.ACCEPTED or standing.public_key or not reply.public_key:
        return standing
    return replace(standing, public_key=reply.public_key)

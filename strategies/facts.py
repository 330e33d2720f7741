"""From checked answers to the facts of a round."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import Design, TrustConfig
from parity_flwr.core.measure import Figures, Rule
from parity_flwr.core.recollection import Memory
from parity_flwr.core.records import ReplyFacts, ReputationState, Verdict
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.response_root import remember_root
from parity_flwr.core.rows import BufferRows, DifferenceRows, Rows
from parity_flwr.core.shares import client_alpha
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.gate import Arrays
from parity_flwr.strategies.intake import Answer

ScoreFunction = Callable[[int, Mapping[str, NDArray[Any]]], float]
"""Scores one client's model on data the server holds: (round, arrays) -> quality in [0, 1]
(P-4 output_quality). It must not look at what the client says about itself."""


Qualities = Mapping[str, float]
"""What others said of each update, in [0, 1], by identity; nobody asked, no entry."""


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What it takes to measure a round's updates.

    ``root`` is the model trained on the server's root data, where there are any.
    """

    rule: Rule
    config: TrustConfig
    state: ReputationState
    memory: Memory
    secret: bytes
    root: Arrays | None = None


def gather_facts(
    answers: Sequence[Answer], *, base: Arrays, qualities: Qualities, measuring: Measuring
) -> tuple[tuple[ReplyFacts, ...], dict[str, NDArray[np.float64]]]:
    """Return the facts on every selected client, and the rule's memory after the round.

    ``qualities`` are what others said of the accepted updates, by identity.
    """
    accepted = [answer for answer in answers if answer.verdict is Verdict.ACCEPTED]
    names = [answer.asked.identity for answer in accepted]
    models = [answer.passed.arrays for answer in accepted if answer.passed]
    measured, memory = _measure(models, names, base, measuring)
    facts = tuple(
        reply_facts(
            answer,
            measured.get(answer.asked.identity),
            qualities.get(answer.asked.identity),
        )
        for answer in answers
    )
    return facts, memory


def unmeasured_facts(answers: Sequence[Answer]) -> tuple[ReplyFacts, ...]:
    """Return the facts on every selected client where updates cannot be looked at."""
    return tuple(reply_facts(answer) for answer in answers)


def _measure(
    models: Sequence[Arrays], names: Sequence[str], base: Arrays, measuring: Measuring
) -> tuple[dict[str, Figures], dict[str, NDArray[np.float64]]]:
    if not models:
        return {}, dict(measuring.memory)
    measure = measuring.rule.measure
    if measuring.config.robustness.design is Design.RESPONSE:  # older rules take no `applied`
        measure = partial(measure, applied=_applied(names, measuring.state))
    figures, memory = measure(
        update_rows(models, base),
        identities=names,
        trust=_trust(names, measuring),
        memory=_memory(base, measuring),
        secret=measuring.secret,
    )
    return dict(zip(names, figures, strict=True)), memory


def _memory(base: Arrays, measuring: Measuring) -> Memory:
    """Return the rule's memory before the round, with this round's root update in it."""
    config = measuring.config.robustness
    if config.design is not Design.RESPONSE or config.sketch_size == 0:
        return measuring.memory
    update = None if measuring.root is None else update_rows([measuring.root], base)
    return remember_root(measuring.memory, update, secret=measuring.secret, config=config)


def _applied(names: Sequence[str], state: ReputationState) -> NDArray[np.float64]:
    """Return each client's coefficient in the model's last step."""
    known = state.standings
    return np.array([known[name].applied if name in known else 0.0 for name in names])


def update_rows(models: Sequence[Arrays], base: Arrays) -> Rows:
    """Return the updates w_k - w of the floating-point arrays, over the replies' memory."""
    names = [name for name, array in base.items() if array.dtype.kind == "f"]
    origin = BufferRows([[base[name] for name in names]])
    return DifferenceRows(BufferRows([[m[name] for name in names] for m in models]), origin)


def _trust(names: Sequence[str], measuring: Measuring) -> NDArray[np.float64]:
    """Return each client's alpha by reputation alone (P-3), 0 for the excluded."""
    state, config = measuring.state, measuring.config
    standings = [standing_of(state, name, config.reputation) for name in names]
    return np.array([client_alpha(each, state, config) for each in standings])


def score_updates(
    accepted: Sequence[Answer], *, round: int, score: ScoreFunction
) -> dict[str, float]:
    """Return the server's held-out score of each accepted update, by identity.

    Raises
    ------
    ConfigError
        If the function returns anything but a number from 0 to 1.
    """
    return {
        answer.asked.identity: _checked(score(round, answer.passed.arrays))
        for answer in accepted
        if answer.passed
    }


def _checked(value: float) -> float:
    quality = float(value)
    if not (math.isfinite(quality) and 0 <= quality <= 1):
        raise ConfigError(
            "a score function needs to return a number from 0 to 1",
            came=str(quality),
            action="scale its result",
        )
    return quality


def reply_facts(
    answer: Answer, figures: Figures | None = None, quality: float | None = None
) -> ReplyFacts:
    """Return what was seen of one selected client; figures and quality where there are any."""
    return ReplyFacts(
        identity=answer.asked.identity,
        verdict=answer.verdict,
        reason=answer.reason,
        node_id=answer.asked.node_id,
        fault=answer.fault,
        update_hash=answer.update_hash,
        public_key=answer.public_key.hex(),
        signature=answer.signature.hex(),
        num_examples=answer.passed.num_examples if answer.passed else answer.attested_examples,
        norm=figures.norm if figures else None,
        rho=figures.rho if figures else None,
        deviation=figures.deviation if figures else None,
        figures=dict(figures.extra) if figures else {},
        quality=quality,
        time_s=answer.time_s,
    )

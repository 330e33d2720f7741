"""One round seen by the response design: memories move, figures come out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from parity_flwr.core.recollection import cosine_matrix, support
from parity_flwr.core.response_evidence import (
    ANSWERED,
    APART,
    AUTHORITY,
    BALANCE,
    COMMON,
    DIRECTION,
    GROWTH,
    LOUDNESS,
    OWN,
    OWN_DIRECTION,
    RESPONSE,
    ROOT,
    SERVED,
    SERVICE,
    SHARE,
)
from parity_flwr.core.response_figures import (
    agreement,
    centre_and_spread,
    cosines,
    echo_shares,
    in_spreads,
    mean_rate,
    row_medians,
    steps_of_others,
    without_self,
)
from parity_flwr.core.response_memory import Past
from parity_flwr.core.response_root import root_cosines
from parity_flwr.core.sketch import shorten

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TWICE = 2  # one meeting's cosine says nothing


@dataclass(frozen=True, kw_only=True)
class Present:
    """What a round shows of n clients."""

    sketches: Values  # (n, size)
    balance: Values  # (n,), this round's rank balance
    loudness: Values  # (n,), this round's norms in medians
    voices: Mask  # (n,), working and with weight
    trust: Values  # (n,), alpha before the round
    applied: Values  # (n,), coefficients of the model's last step


def advance(past: Past, now: Present, config: RobustnessConfig) -> Past:
    """Return the memories after the round."""
    counts = past.counts + 1.0
    rate, rules = mean_rate(config.sketch_decay, counts), config.response
    agreed = agreement(now.sketches, _voters(past, now, config), past.share)
    weight = max(0.0, agreed - rules.agreement) ** 2
    loudness = past.loudness + rate * (now.loudness - past.loudness)
    moved = replace(
        past,
        counts=counts,
        latest=now.sketches,
        means=past.means + rate[:, None] * (now.sketches - past.means),
        balance=past.balance + rate * (now.balance - past.balance),
        loudness=loudness,
        outset=np.where(counts <= rules.service_rounds, loudness, past.outset),
        directions=rules.direction_decay * past.directions + weight * now.sketches,
        authority=rules.direction_decay * past.authority + weight,
    )
    return _count_answers(past, now, _count_pairs(past, now, moved, config), config)


def _voters(past: Past, now: Present, config: RobustnessConfig) -> Mask:
    """Return whose updates make the common direction: trusted, not one-sided."""
    rules = config.response
    one_sided = np.abs(np.where(past.counts > 0, past.balance, now.balance))
    trusted = now.trust >= rules.trusted * now.trust.max()
    return np.asarray(now.voices & trusted & (one_sided < rules.balanced), np.bool_)


def _count_pairs(past: Past, now: Present, moved: Past, config: RobustnessConfig) -> Past:
    """Add the cosines of this round's innovations, and see whose noise is whose."""
    seen = past.counts > 0
    both = np.outer(seen, seen) & ~np.eye(len(seen), dtype=bool)
    innovation = np.where(seen[:, None], now.sketches - past.latest, 0.0)
    met = past.met + both
    rate = np.where(both, mean_rate(config.sketch_decay, met), 0.0)
    pairs = past.pairs + rate * (cosine_matrix(shorten(innovation)) - past.pairs)
    share = echo_shares(
        pairs,
        met >= _TWICE,
        voices=now.voices,
        trust=now.trust,
        zone=config.response.echo,
        spreads=config.response.echo_spreads,
    )
    return replace(moved, pairs=pairs, met=met, share=share)


def _count_answers(past: Past, now: Present, moved: Past, config: RobustnessConfig) -> Past:
    """Add the cosine of each innovation with the step that the others made the model take."""
    seen = past.counts > 0
    step = steps_of_others(past.latest, np.where(seen, now.applied, 0.0))
    asked = seen & step.any(axis=1)
    answers = past.answers + asked
    rate = np.where(asked, mean_rate(config.response.response_decay, answers), 0.0)
    found = cosines(now.sketches - past.latest, step)
    response = past.response + rate * (found - past.response)
    served = past.served + _services(past, step, asked, config)
    return replace(moved, response=response, answers=answers, served=served)


def _services(past: Past, step: Values, asked: Mask, config: RobustnessConfig) -> Values:
    """Return what the others' last step adds to the sums, (n, 3); early steps count more."""
    weight = np.where(asked, config.response.service_decay**past.answers, 0.0)
    products = [(past.latest, step), (past.latest, past.latest), (step, step)]
    found = [np.einsum("kj,kj->k", a, b) for a, b in products]
    return np.asarray(weight[:, None] * np.column_stack(found), np.float64)


def figures(
    past: Past, now: Present, latest: Past, config: RobustnessConfig
) -> list[dict[str, float]]:
    """Return what stage B may know of each client; what is not known yet is left out."""
    rules, rounds = config.response, config.sketch_rounds
    known = latest.counts >= rounds
    heard = known if np.count_nonzero(known) >= config.min_replies else np.zeros_like(known)
    everybody = np.ones_like(known)
    authority = min(1.0, latest.authority / rules.authority)
    found: list[tuple[str, Values, Mask]] = [
        (SHARE, latest.share, everybody),
        (BALANCE, np.abs(latest.balance), everybody),
        (AUTHORITY, np.full(len(known), authority), everybody),
        (OWN, cosines(now.sketches, past.means), latest.counts > rounds),
        (OWN_DIRECTION, cosines(now.sketches, past.directions), latest.counts > rounds),
        (DIRECTION, _supports(past, now, latest, heard), heard),
        *_common_figures(now, latest),
        *_answer_figures(now, latest, config),
        (LOUDNESS, latest.loudness, everybody),
        (GROWTH, _growth(latest), latest.counts > rules.service_rounds),
        (ROOT, *root_cosines(latest, config)),
        *_service_figures(now, latest, config),
    ]
    return [
        {name: float(values[k]) for name, values, told in found if told[k]}
        for k in range(len(known))
    ]


def _common_figures(now: Present, latest: Past) -> list[tuple[str, Values, Mask]]:
    """Return each client's cosine with the others' noise, and how unusual so little is."""
    others = without_self(now.voices * latest.share) * (latest.met >= _TWICE)
    told = np.asarray(others.any(axis=1), np.bool_)
    common = row_medians(latest.pairs, others)
    usual, spread = centre_and_spread(common[told & now.voices])
    return [(COMMON, common, told), (APART, in_spreads(usual - common, spread), told)]


def _answer_figures(
    now: Present, latest: Past, config: RobustnessConfig
) -> list[tuple[str, Values, Mask]]:
    """Return the answers to the model's steps, and how far the usual one opposes them."""
    told = latest.answers >= config.response.response_rounds
    usual, spread = centre_and_spread(latest.response[told & now.voices])
    opposing = in_spreads(np.full(len(told), -usual), spread)
    return [(RESPONSE, latest.response, told), (ANSWERED, opposing, told)]


def _growth(latest: Past) -> Values:
    outset = latest.outset
    return np.divide(latest.loudness, outset, out=np.ones_like(outset), where=outset > 0)


def _service_figures(
    now: Present, latest: Past, config: RobustnessConfig
) -> list[tuple[str, Values, Mask]]:
    """Return what the model's steps did for each client, over what they did for the median."""
    told = latest.answers >= config.response.service_rounds
    heard = told & now.voices
    if np.count_nonzero(heard) < config.min_replies:
        return []
    gains, ours, steps = latest.served.T
    lengths = np.sqrt(ours * steps)
    usual = float(np.median(gains[heard]))
    common = np.divide(gains, lengths, out=np.zeros_like(gains), where=lengths > 0)
    service = np.clip(gains / usual, -10.0, 10.0) if usual > 0 else np.ones_like(gains)
    served = max(0.0, float(np.median(common[heard])))
    return [(SERVICE, service, told), (SERVED, np.full(len(gains), served), told)]


def _supports(past: Past, now: Present, latest: Past, heard: Mask) -> Values:
    """Return the cosine of each direction memory with the others', shares as they were."""
    result = np.zeros(len(heard))
    result[heard] = support(latest.directions[heard], (now.trust * past.share)[heard])
    return result

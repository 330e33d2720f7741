"""A federation in numpy: each client pulls the model towards an optimum of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import TrustConfig
from parity_flwr.core.measure import Figures
from parity_flwr.core.recollection import Memory
from parity_flwr.core.records import ReplyFacts, ReputationState, RoundFacts, Verdict
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.response_root import remember_root
from parity_flwr.core.response_rule import rule_for
from parity_flwr.core.rounds import decide, excluded_identities
from parity_flwr.core.rows import MatrixRows
from parity_flwr.core.shares import client_alpha

Array = NDArray[np.float64]
Attack = Callable[[Array, Array, np.random.Generator], Array]
"""(the attackers' own honest updates, the others', rng) -> what the attackers send."""

CONFIG = TrustConfig()
_STEP, _DIFFERENCE, _NOISE = 0.3, 0.3, 0.05
_SECRET = bytes(range(32))


@dataclass(frozen=True)
class Outcome:
    excluded: tuple[str, ...]
    composites: tuple[float, ...]
    error: float  # distance of the model from the honest optimum, as a share of its length


def sign_flip(own: Array, others: Array, rng: np.random.Generator) -> Array:
    return -own


def a_little(own: Array, others: Array, rng: np.random.Generator) -> Array:
    """ALIE with z = 1.5: mean - z * deviation of all honest updates."""
    everyone = np.vstack([own, others])
    hidden = everyone.mean(axis=0) - 1.5 * everyone.std(axis=0)
    return np.tile(hidden, (len(own), 1))


def identical(own: Array, others: Array, rng: np.random.Generator) -> Array:
    """One vector for all, against their own mean."""
    return np.tile(-own.mean(axis=0), (len(own), 1))


def identical_noise(own: Array, others: Array, rng: np.random.Generator) -> Array:
    """One random vector of the usual length for all, new in each round."""
    vector = rng.normal(size=own.shape[1])
    length = np.linalg.norm(own[0]) / np.linalg.norm(vector)
    return np.tile(length * vector, (len(own), 1))


def shift_everything(own: Array, others: Array, rng: np.random.Generator) -> Array:
    return np.full_like(own, 10.0)


def run(
    attack: Attack | None,
    *,
    seed: int,
    attackers: int = 3,
    n: int = 10,
    rounds: int = 15,
    config: TrustConfig = CONFIG,
    root: bool = False,
) -> Outcome:
    """Train for some rounds; clients c0 ... are the attackers, and the server may train too."""
    rng, server = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    optimum = 2 * rng.normal(size=600)
    own = optimum + _DIFFERENCE * rng.normal(size=(n, 600))
    names, rule = [f"c{k}" for k in range(n)], rule_for(config.robustness)
    trusted = optimum + _DIFFERENCE * server.normal(size=600)
    model, state = np.zeros(600), ReputationState()
    memory: Memory = {}
    for number in range(1, rounds + 1):
        updates = _STEP * (own - model) + _NOISE * rng.normal(size=own.shape)
        if attack:
            updates[:attackers] = attack(updates[:attackers], updates[attackers:], rng)
        if root:
            trained = _STEP * (trusted - model) + _NOISE * server.normal(size=600)
            memory = remember_root(
                memory,
                MatrixRows(trained[None].astype(np.float32)),
                secret=_SECRET,
                config=config.robustness,
            )
        figures, memory = rule.measure(
            MatrixRows(updates.astype(np.float32)),
            identities=names,
            trust=_trust(state, names, config),
            memory=memory,
            secret=_SECRET,
            applied=_applied(state, names, config),
        )
        replies = tuple(_facts(*pair) for pair in zip(names, figures, strict=True))
        state, decision = decide(state, RoundFacts(round=number, replies=replies), config)
        model = model + np.array([each.weight for each in decision.replies]) @ updates
    target = own[attackers:].mean(axis=0) if attack else own.mean(axis=0)
    return Outcome(
        excluded=excluded_identities(state, config),
        composites=tuple(state.standings[name].composite for name in names),
        error=float(np.linalg.norm(model - target) / np.linalg.norm(target)),
    )


def _trust(state: ReputationState, names: list[str], config: TrustConfig) -> Array:
    standings = [standing_of(state, name, config.reputation) for name in names]
    return np.array([client_alpha(each, state, config) for each in standings])


def _applied(state: ReputationState, names: list[str], config: TrustConfig) -> Array:
    return np.array([standing_of(state, n, config.reputation).applied for n in names])


def _facts(name: str, figures: Figures) -> ReplyFacts:
    return ReplyFacts(
        identity=name,
        verdict=Verdict.ACCEPTED,
        num_examples=100,
        norm=figures.norm,
        rho=figures.rho,
        deviation=figures.deviation,
        figures=figures.extra,
    )

"""Naive float64 twins of the response design: every figure from a client's whole past."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.config import RobustnessConfig
from reference_measure import cosine, support

Array = NDArray[np.float64]


def decayed_mean(values: Sequence[float] | Sequence[Array], decay: float) -> Array:
    """sum_i decay^i x_i / sum_i decay^i over the values of i entries ago."""
    shares = [decay**i for i in range(len(values))]
    parts = [s * np.asarray(v) for s, v in zip(shares, reversed(values), strict=True)]
    return np.asarray(sum(parts[1:], parts[0]) / math.fsum(shares))


def weighted_median(pairs: Sequence[tuple[float, float]]) -> float:
    """The smallest value with half of the weight at or below it; 0 without weight."""
    total, through = sum(w for _, w in sorted(pairs)), 0.0
    for value, weight in sorted(pairs):
        through += weight
        if total > 0 and through >= 0.5 * total:
            return value
    return 0.0


def centre(values: Sequence[float]) -> tuple[float, float]:
    """Median, and 1.4826 times the median distance to it."""
    if not values:
        return 0.0, 0.0
    median = float(np.median(values))
    return median, 1.4826 * float(np.median([abs(value - median) for value in values]))


def bounded(value: float, spread: float) -> float:
    return min(100.0, max(-100.0, value / max(spread, 0.001)))


@dataclass
class Twin:
    """Everything that every client ever sent, as lists."""

    config: RobustnessConfig
    sketches: dict[str, list[Array]] = field(default_factory=dict)
    worth: dict[str, list[float]] = field(default_factory=dict)
    balances: dict[str, list[float]] = field(default_factory=dict)
    noise: dict[frozenset[str], list[float]] = field(default_factory=dict)
    answers: dict[str, list[float]] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)
    lengths: dict[str, list[float]] = field(default_factory=dict)
    services: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    rounds: list[float] = field(default_factory=list)

    def play(
        self,
        names: Sequence[str],
        now: Mapping[str, Array],
        balance: Mapping[str, float],
        voices: Sequence[str],
        trust: Mapping[str, float],
        applied: Mapping[str, float],
        loudness: Mapping[str, float],
    ) -> list[dict[str, float]]:
        """Return the figures of one round."""
        before = {name: list(self.sketches.get(name, [])) for name in names}
        old_share = {name: self.share.get(name, 1.0) for name in names}
        worth = self._worth(now, balance, voices, trust, old_share)
        own = {n: self._own(n, now[n], before[n]) for n in names}
        self.rounds.append(worth)
        for name in names:
            self.sketches.setdefault(name, []).append(now[name])
            self.worth.setdefault(name, []).append(worth)
            self.balances.setdefault(name, []).append(balance[name])
            self.lengths.setdefault(name, []).append(loudness[name])
        self._meet(names, now, before, applied)
        usual = self._usual(voices)
        for name in names:
            self.share[name] = self._share(name, names, voices, trust, usual)
        found = [self._figures(name, own[name], voices) for name in names]
        self._compare(names, found, voices)
        self._directions(names, found, trust, old_share)
        self._serve(names, found, voices)
        return found

    def _worth(
        self,
        now: Mapping[str, Array],
        balance: Mapping[str, float],
        voices: Sequence[str],
        trust: Mapping[str, float],
        share: Mapping[str, float],
    ) -> float:
        rules, voters = self.config.response, []
        for name in voices:
            past = self.balances.get(name, [])
            sided = (
                float(decayed_mean(past, self.config.sketch_decay)) if past else balance[name]
            )
            if abs(sided) < rules.balanced and trust[name] >= rules.trusted * max(
                trust.values()
            ):
                voters.append(name)
        if len(voters) < 4:
            return 0.0
        said = {
            a: weighted_median([(cosine(now[a], now[b]), share[b]) for b in voters if b != a])
            for a in voters
        }
        agreed = max(0.0, weighted_median([(said[a], share[a]) for a in voters]))
        return max(0.0, agreed - rules.agreement) ** 2

    def _direction(self, name: str) -> Array:
        decay = self.config.response.direction_decay
        past = list(zip(self.worth[name], self.sketches[name], strict=True))
        parts = [decay**i * w * s for i, (w, s) in enumerate(reversed(past))]
        return np.asarray(sum(parts[1:], parts[0]))

    def _own(self, name: str, now: Array, before: Sequence[Array]) -> tuple[float, float]:
        if not before:
            return 0.0, 0.0
        mean = decayed_mean(before, self.config.sketch_decay)
        return cosine(now, mean), cosine(now, self._direction(name))

    def _meet(
        self,
        names: Sequence[str],
        now: Mapping[str, Array],
        before: Mapping[str, Sequence[Array]],
        applied: Mapping[str, float],
    ) -> None:
        seen = [name for name in names if before[name]]
        changed = {name: now[name] - before[name][-1] for name in seen}
        for a, b in combinations(seen, 2):
            self.noise.setdefault(frozenset((a, b)), []).append(cosine(changed[a], changed[b]))
        for name in seen:
            others = [applied[o] * before[o][-1] for o in seen if o != name and applied[o]]
            if others:
                step = np.asarray(sum(others[1:], others[0]))
                self.answers.setdefault(name, []).append(cosine(changed[name], step))
                last = before[name][-1]
                products = (float(last @ step), float(last @ last), float(step @ step))
                self.services.setdefault(name, []).append(products)

    def _pair(self, a: str, b: str) -> float | None:
        past = self.noise.get(frozenset((a, b)), [])
        return float(decayed_mean(past, self.config.sketch_decay)) if len(past) >= 2 else None

    def _usual(self, voices: Sequence[str]) -> float:
        """Where the cosines of two echoes begin."""
        rules = self.config.response
        known = [self._pair(a, b) for a, b in combinations(voices, 2)]
        told = [each for each in known if each is not None] or [0.0]
        usual = float(np.median(told))
        spread = 1.4826 * float(np.median([abs(each - usual) for each in told]))
        return max(0.0, usual) + max(rules.echo[0], rules.echo_spreads * spread)

    def _share(
        self,
        name: str,
        names: Sequence[str],
        voices: Sequence[str],
        trust: Mapping[str, float],
        usual: float,
    ) -> float:
        low, high = self.config.response.echo
        own = max(trust[name], 1e-6) if name in voices else 1e-6
        copies = 0.0
        for other in names:
            pair = self._pair(name, other) if other != name else None
            if pair is not None and other in voices:
                alike = min(1.0, max(0.0, (pair - usual) / (high - low)))
                copies += alike * min(1.0, max(trust[other], 1e-6) / own)
        return 1.0 / (1.0 + copies)

    def _figures(
        self, name: str, own: tuple[float, float], voices: Sequence[str]
    ) -> dict[str, float]:
        rules, decay = self.config.response, self.config.sketch_decay
        past = list(reversed(self.rounds))
        authority = math.fsum(rules.direction_decay**i * w for i, w in enumerate(past))
        found = {
            "share": self.share[name],
            "balance": abs(float(decayed_mean(self.balances[name], decay))),
            "authority": min(1.0, authority / rules.authority),
            "loudness": float(decayed_mean(self.lengths[name], decay)),
        }
        if len(self.lengths[name]) > rules.service_rounds:
            first = decayed_mean(self.lengths[name][: rules.service_rounds], decay)
            found["growth"] = found["loudness"] / float(first)
        if len(self.sketches[name]) > self.config.sketch_rounds:
            found["own"], found["own_direction"] = own
        noise = [(self._pair(name, o), self.share[o]) for o in voices if o != name]
        told = [(pair, share) for pair, share in noise if pair is not None]
        if told:
            found["common"] = weighted_median(told)
        answers = self.answers.get(name, [])
        if len(answers) >= rules.response_rounds:
            found["response"] = float(decayed_mean(answers, rules.response_decay))
        return found

    def _compare(
        self, names: Sequence[str], found: Sequence[dict[str, float]], voices: Sequence[str]
    ) -> None:
        """Add how unusual a cosine with the others is, and how clearly they answer a step."""
        heard = [figures for name, figures in zip(names, found, strict=True) if name in voices]
        common = centre([f["common"] for f in heard if "common" in f])
        answer = centre([f["response"] for f in heard if "response" in f])
        for figures in found:
            if "common" in figures:
                figures["apart"] = bounded(common[0] - figures["common"], common[1])
            if "response" in figures:
                figures["answered"] = bounded(-answer[0], answer[1])

    def _directions(
        self,
        names: Sequence[str],
        found: Sequence[dict[str, float]],
        trust: Mapping[str, float],
        share: Mapping[str, float],
    ) -> None:
        known = [
            k for k, n in enumerate(names) if len(self.sketches[n]) >= self.config.sketch_rounds
        ]
        if len(known) < self.config.min_replies:
            return
        directions = [self._direction(names[k]) for k in known]
        toward = support(directions, [trust[names[k]] * share[names[k]] for k in known])
        for k, value in zip(known, toward, strict=True):
            found[k]["direction"] = value

    def _serve(
        self, names: Sequence[str], found: Sequence[dict[str, float]], voices: Sequence[str]
    ) -> None:
        """Add what the model's steps did for each, over what they did for the median."""
        rules = self.config.response
        sums = {
            name: [
                math.fsum(rules.service_decay**i * part for i, part in enumerate(parts))
                for parts in zip(*past, strict=True)
            ]
            for name in names
            if len(past := self.services.get(name, [])) >= rules.service_rounds
        }
        heard = [sums[name] for name in voices if name in sums]
        if len(heard) < self.config.min_replies:
            return
        usual = float(np.median([gain for gain, _, _ in heard]))
        cosines = [gain / math.sqrt(own * step) for gain, own, step in heard]
        for name, figures in zip(names, found, strict=True):
            if name in sums:
                relative = sums[name][0] / usual if usual > 0 else 1.0
                figures["service"] = min(10.0, max(-10.0, relative))
                figures["served"] = max(0.0, float(np.median(cosines)))

"""What each member contributes to the group means that it was part of.

One unknown for each client, one equation for each group of each of the last rounds: what was
measured on a group is the mean of its members' unknowns. The sign and the size of a round's
direction are unknown as well; they are fitted, and the median client settles the sign. So a
majority of the clients decides what is normal, also where most groups hold a liar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

_RIDGE = 0.05  # of the mean curvature, towards the median client
_FITS, _STEPS, _SOLVES = 15, 60, 300
_TINY = 1e-12


@dataclass(frozen=True)
class Window:
    """The groups of the last rounds, n clients in m places of c groups.

    Parameters
    ----------
    clients : int
        n.
    member, cell : ndarray of int64, shape (m,)
        Which client has the place, and in which group.
    rounds : ndarray of int64, shape (c,)
        Each group's round, numbered from 0.
    along, spread : ndarray of float64, shape (c,)
        What was measured on each group: along the round's direction, and around its centre.
    """

    clients: int
    member: Counts
    cell: Counts
    rounds: Counts
    along: Values
    spread: Values

    @classmethod
    def of(cls, histories: Sequence[Values]) -> Window:
        """Return the window of clients' histories: rows (round, group, along, spread)."""
        cells: dict[tuple[float, float], int] = {}
        member: list[int] = []
        cell: list[int] = []
        found: list[tuple[float, float]] = []
        for client, history in enumerate(histories):
            for round_, group, along, spread in history.tolist():
                place = cells.setdefault((round_, group), len(cells))
                if place == len(found):
                    found.append((along, spread))
                member.append(client)
                cell.append(place)
        numbers = {each: k for k, each in enumerate(sorted({round_ for round_, _ in cells}))}
        measured = np.array(found, np.float64).reshape(-1, 2)
        return cls(
            clients=len(histories),
            member=np.array(member, np.int64),
            cell=np.array(cell, np.int64),
            rounds=np.array([numbers[round_] for round_, _ in cells], np.int64),
            along=measured[:, 0],
            spread=measured[:, 1],
        )

    def group_means(self, unknowns: Values) -> Values:
        """Return the mean of each group's members, shape (c,)."""
        total = np.bincount(self.cell, unknowns[self.member], len(self.rounds))
        return np.asarray(total / self._sizes)

    def spread_back(self, groups: Values) -> Values:
        """Return the transpose of :meth:`group_means`, shape (n,)."""
        each = (groups / self._sizes)[self.cell]
        return np.bincount(self.member, each, self.clients).astype(np.float64)

    def curvature(self, weights: Values) -> float:
        """Return the mean diagonal entry of the weighted normal equations."""
        return float((weights / self._sizes).sum() / max(self.clients, 1))

    @property
    def _sizes(self) -> Values:
        return np.bincount(self.cell, minlength=len(self.rounds)).astype(np.float64)


def alignments(window: Window) -> Values:
    """Return each client's part along the common direction, shape (n,), root mean square 1.

    Alternates between the rounds' scales given the clients, and the clients given the
    scales (ridge, towards the median client). The median client is positive.

    Examples
    --------
    >>> history = [np.array([[1, 0, -1, 1], [2, 0, -1, 1]])] * 2 + [
    ...     np.array([[1, 1, 4, 1], [2, 1, 4, 1]])]
    >>> alignments(Window.of(history)).round(1).tolist()
    [0.4, 0.4, -1.6]
    """
    unknowns = np.ones(window.clients)
    for _ in range(_FITS):
        means = window.group_means(unknowns)
        scale = _by_round(window, window.along * means) / np.maximum(
            _by_round(window, means * means), _TINY
        )
        scales = scale[window.rounds]
        ridge = _RIDGE * window.curvature(scales**2)
        right = window.spread_back(scales * window.along)
        right += ridge * float(np.median(unknowns))
        unknowns = _solved(_normal(window, scales**2, ridge), right, start=unknowns)
        unknowns /= max(float(np.sqrt(np.mean(unknowns**2))), _TINY)
    return unknowns if np.median(unknowns) >= 0 else -unknowns


def spreads(window: Window) -> Values:
    """Return each client's part of the spread around the centre, shape (n,), at least 0.

    Examples
    --------
    >>> history = [np.array([[1, 0, 1, 1]])] * 2 + [np.array([[1, 1, 1, 4]])]
    >>> found = spreads(Window.of(history))
    >>> bool(found[2] > 3 * found[0] > 0)
    True
    """
    ones = np.ones(len(window.rounds))
    ridge = _RIDGE * window.curvature(ones)
    apply = _normal(window, ones, ridge)
    columns = window.spread_back(ones)  # rows sum to 1: no eigenvalue is above these sums
    step = 1.0 / (float(columns.max(initial=_TINY)) + ridge)
    unknowns = np.ones(window.clients)
    for _ in range(3):
        right = window.spread_back(window.spread) + ridge * float(np.median(unknowns))
        unknowns = _nonnegative(apply, right, start=unknowns, step=step)
    return unknowns


def _normal(window: Window, weights: Values, ridge: float) -> Callable[[Values], Values]:
    def apply(unknowns: Values) -> Values:
        return window.spread_back(weights * window.group_means(unknowns)) + ridge * unknowns

    return apply


def _by_round(window: Window, values: Values) -> Values:
    return np.bincount(window.rounds, values).astype(np.float64)


def _solved(apply: Callable[[Values], Values], right: Values, *, start: Values) -> Values:
    """Solve a positive definite system by conjugate gradients."""
    found = start.copy()
    rest = right - apply(found)
    along, size = rest.copy(), float(rest @ rest)
    for _ in range(_STEPS):
        if size <= _TINY**2 * max(float(right @ right), _TINY):
            break
        turned = apply(along)
        step = size / max(float(along @ turned), np.finfo(np.float64).tiny)
        found = found + step * along
        rest = rest - step * turned
        before, size = size, float(rest @ rest)
        along = rest + size / before * along
    return found


def _nonnegative(
    apply: Callable[[Values], Values], right: Values, *, start: Values, step: float
) -> Values:
    """Solve it with unknowns of at least 0: projected gradients with momentum (FISTA)."""
    found = ahead = start
    pace = 1.0
    for _ in range(_SOLVES):
        after = np.maximum(ahead - step * (apply(ahead) - right), 0.0)
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - found)
        found, pace = after, float(faster)
    return found

"""One round's candidate trees: whose they are, which are copies, what the jury says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.forest import (
    WORST_LOSS,
    Forest,
    agreed_losses,
    bagged,
    copies,
    poisoned,
)
from parity_flwr.core.forest.selection import BaggingConfig
from parity_flwr.core.measure import Figures
from parity_flwr.core.review import review_quality

Values = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST = 0.05  # rho of a perfect forest: P-6 needs a median above 0 for its scale


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeRound:
    """The T trees that a round chooses from: the forest so far, then the new ones.

    Parameters
    ----------
    forest : Forest
        All of them.
    owners : tuple of str
        Who grew each.
    kept : int
        How many are of the forest so far; those come first.
    copied : ndarray of bool, shape (T,)
        Which new trees are copies of others.
    losses : ndarray of float64, shape (T,)
        What the validators agreed on; NaN for a tree that nobody judged.
    """

    forest: Forest
    owners: tuple[str, ...]
    kept: int
    copied: Bools
    losses: Values
    quality: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        current: Forest,
        owned: Sequence[str],
        losses: Values,
        fresh: Mapping[str, Forest],
        reputation: Mapping[str, float],
    ) -> TreeRound:
        """Return the candidates with the copies marked; who has the better name keeps a tree.

        Parameters
        ----------
        current : Forest
            The model that was sent out.
        owned, losses
            Owner and last loss of each of its trees.
        fresh : mapping of str to Forest
            The accepted replies by identity.
        reputation : mapping of str to float
            Composite scores of their senders, in [0, 1000].
        """
        names = sorted(fresh)
        forest = bagged([current, *(fresh[name] for name in names)])
        owners = (*owned, *(name for name in names for _ in range(len(fresh[name]))))
        kept = len(current)
        # A tree of the forest so far came first; it cannot be a copy of a new one.
        ranks = np.array([0.0] * kept + [1001.0 - reputation[name] for name in owners[kept:]])
        copied = copies(list(forest), ranks)
        copied[:kept] = False
        unknown = np.full(len(forest) - kept, np.nan)
        return cls(
            forest=forest,
            owners=owners,
            kept=kept,
            copied=copied,
            losses=np.concatenate([losses, unknown]),
        )

    @property
    def asked(self) -> NDArray[np.int64]:
        """Return the trees that the jury has to judge: new ones that are no copies."""
        new = np.arange(len(self.owners)) >= self.kept
        return np.flatnonzero(new & ~self.copied)

    def judged(
        self, reports: Mapping[str, Values], reputation: Mapping[str, float]
    ) -> TreeRound:
        """Return the round with the jury's word on each tree, and on each owner (P-4).

        Parameters
        ----------
        reports : mapping from validator to ndarray of float64, shape (len(asked),)
        reputation : mapping from validator to float
            Composite scores; 0 for those without weight.
        """
        asked, losses = self.asked, self.losses.copy()
        owners = [self.owners[k] for k in asked]
        losses[asked] = agreed_losses(reports, reputation, owners)
        names = sorted(set(self.owners[self.kept :]))
        rises = {
            validator: np.array([_mean(said, owners, name) for name in names])
            for validator, said in reports.items()
        }
        quality = review_quality(names, rises, reputation) if names else {}
        return replace(self, losses=losses, quality=quality)

    def figures(self, names: Sequence[str]) -> dict[str, Figures]:
        """Return what the round says of each of these clients, for the journal.

        ``rho`` is the mean agreed loss of a client's trees plus 0.05, so that P-6 accuses
        forests as it accuses updates; ``norm`` is how many trees of its own it grew.
        """
        asked = self.asked
        owners = [self.owners[k] for k in asked]
        means = {name: _mean(self.losses[asked], owners, name) for name in names}
        known = [value for value in means.values() if not np.isnan(value)]
        middle = float(np.median(known)) if known else 0.0
        return {
            name: Figures(
                norm=float(owners.count(name)),
                rho=_LEAST + float(np.nan_to_num(value, nan=middle)),
                deviation=0.0,
                extra={
                    "trees": float(self.owners[self.kept :].count(name)),
                    "copied": float(self._copied_by(name)),
                },
            )
            for name, value in means.items()
        }

    def _copied_by(self, name: str) -> int:
        return sum(
            bool(copied) and owner == name
            for owner, copied in zip(self.owners, self.copied, strict=True)
        )

    def poisoned(self, weights: Mapping[str, float], config: BaggingConfig) -> Bools:
        """Return which trees do far worse than the others, shape (T,)."""
        trust = np.array([weights.get(owner, 0.0) for owner in self.owners])
        return poisoned(self.losses, trust, config)


def _mean(losses: Values, owners: Sequence[str], name: str) -> float:
    """Return the mean loss of one owner's trees: the worst without a tree, NaN unjudged."""
    mine = losses[np.array([owner == name for owner in owners], bool)]
    return float(mine.mean()) if mine.size else WORST_LOSS

"""Whether probabilities mean what they say: the reliability curve and its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The rows whose probability lies in one interval; empty ones are left out.

    Parameters
    ----------
    rows : int
        How many.
    predicted : float
        Their mean probability.
    observed : float
        The share of them that is positive.
    """

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A reliability curve over equally wide bins.

    Parameters
    ----------
    bins : tuple of Bin
        By rising probability.
    error : float
        Expected calibration error: the mean over rows of ``|predicted - observed|`` of their
        bin (Naeini et al. 2015). It grows with the number of bins where rows are few.
    brier : float
        The mean squared difference between probability and outcome.
    """

    bins: tuple[Bin, ...]
    error: float
    brier: float

    @classmethod
    def of(
        cls,
        probabilities: NDArray[np.float64],
        positive: NDArray[np.bool_],
        *,
        bins: int = BINS,
    ) -> Calibration:
        """Return the calibration of probabilities against what happened.

        Parameters
        ----------
        probabilities : ndarray of float64, shape (n,), in [0, 1]
        positive : ndarray of bool, shape (n,)
        bins : int
            Intervals of equal width; the last one includes 1.

        Raises
        ------
        ConfigError
            If there are no rows, or a number is no probability.

        Examples
        --------
        >>> found = Calibration.of(np.array([0.1, 0.1, 0.9]), np.array([False, True, True]))
        >>> [(each.rows, each.observed) for each in found.bins], round(found.error, 4)
        ([(2, 0.5), (1, 1.0)], 0.3)
        """
        _require_probabilities(probabilities)
        places = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
        found = tuple(
            Bin(
                rows=int(np.count_nonzero(places == place)),
                predicted=float(probabilities[places == place].mean()),
                observed=float(positive[places == place].mean()),
            )
            for place in np.unique(places)
        )
        gaps = [each.rows * abs(each.predicted - each.observed) for each in found]
        return cls(
            bins=found,
            error=sum(gaps) / len(probabilities),
            brier=float(((probabilities - positive) ** 2).mean()),
        )


def _require_probabilities(values: NDArray[np.float64]) -> None:
    if len(values) and np.all((values >= 0) & (values <= 1)):  # NaN is neither
        return
    raise ConfigError(
        "calibration needs probabilities from 0 to 1",
        came="none"
        if not len(values)
        else f"{np.nanmin(values):.4g} to {np.nanmax(values):.4g}",
        action="let the model return the probability of the positive class",
    )

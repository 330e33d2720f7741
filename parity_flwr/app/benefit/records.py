"""The record of a comparison: who gains what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from parity_flwr.app.benefit.calibration import Calibration


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One participant's own model beside the federated one.

    Parameters
    ----------
    name : str
    honest : bool
    train_rows, test_rows, test_positives : int
    alone_own, federated_own : float or None
        The metric on its own held-out rows; None where these are of one class.
    alone_pooled : float
        The metric of its own model on the pooled held-out rows of all honest participants.
    alone_calibration_error : float
        Of its own model, on the pooled rows.
    """

    name: str
    honest: bool
    train_rows: int
    test_rows: int
    test_positives: int
    alone_own: float | None
    federated_own: float | None
    alone_pooled: float
    alone_calibration_error: float

    @property
    def own(self) -> float | None:
        """What the federated model adds on its own rows; negative where it takes away."""
        if self.alone_own is None or self.federated_own is None:
            return None
        return self.federated_own - self.alone_own


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Another model for comparison, judged on the pooled rows."""

    name: str
    pooled: float
    calibration_error: float


@dataclass(frozen=True, kw_only=True)
class Benefit:
    """What federating brought, on rows that no model has seen.

    Parameters
    ----------
    metric : str
        What is compared; more is better.
    gains : tuple of Gain
        In the order of the participants.
    pooled_rows, pooled_positives : int
        The held-out rows of all honest participants together.
    federated_pooled : float
        The metric of the federated model on them.
    calibration : Calibration
        Of the federated model on them.
    references : tuple of Reference
        Other models.
    """

    metric: str
    gains: tuple[Gain, ...]
    pooled_rows: int
    pooled_positives: int
    federated_pooled: float
    calibration: Calibration
    references: tuple[Reference, ...] = ()

    @property
    def median_alone(self) -> float:
        """The median, over honest participants, of their own models on the pooled rows."""
        return float(median(each.alone_pooled for each in self.gains if each.honest))

    @property
    def gain(self) -> float:
        """How much better the federated model is than that median, on the same rows."""
        return self.federated_pooled - self.median_alone

    @property
    def median_own_gain(self) -> float | None:
        """The median of what honest participants gain on their own rows, where defined."""
        own = [each.own for each in self.gains if each.honest and each.own is not None]
        return float(median(own)) if own else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, the derived figures among it."""
        gains = [{**asdict(each), "own_gain": each.own} for each in self.gains]
        return {
            **asdict(self),
            "gains": gains,
            "references": [asdict(each) for each in self.references],
            "median_alone": self.median_alone,
            "gain": self.gain,
            "median_own_gain": self.median_own_gain,
        }

"""What ``--privacy off|low|medium|high`` means, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from parity_flwr.core.privacy.combinations import Hiding, NoisePlace
from parity_flwr.core.privacy.ledger import Budget, Unit
from parity_flwr.core.privacy.parameters import checked_delta, checked_epsilon, positive
from parity_flwr.errors import ConfigError

DELTA = 1e-5
"""Delta of the presets, or a tenth of 1/n where that is smaller."""


class Level(StrEnum):
    """The levels of ``--privacy``."""

    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ModelKind(StrEnum):
    """What is trained; each kind has its own mechanism."""

    TORCH = "torch"
    LINEAR = "linear"
    FOREST = "forest"


MECHANISMS: Mapping[ModelKind, str] = MappingProxyType(
    {
        ModelKind.TORCH: "DP-SGD: clipped gradients of examples, Gaussian noise in each step",
        ModelKind.LINEAR: "noisy sufficient statistics (AdaSSP), Gaussian",
        ModelKind.FOREST: "leaf counts of shared random trees, discrete Laplace",
    }
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The settings of a run; ``epsilon`` and ``delta`` are of the whole run.

    Parameters
    ----------
    level : Level
        The preset they started from.
    epsilon, delta : float or None
        None with ``off``.
    clip : float
        Longest gradient of one example; data of linear models are clipped elsewhere.
    dp, hiding
        Where the noise is, and what the server sees.
    """

    level: Level
    epsilon: float | None
    delta: float | None
    clip: float
    dp: NoisePlace
    hiding: Hiding

    @property
    def budget(self) -> Budget | None:
        """The budget of each client's ledger; None with ``off``."""
        if self.epsilon is None or self.delta is None:
            return None
        return Budget(epsilon=self.epsilon, delta=self.delta, unit=Unit.EXAMPLE)

    def meaning(self, kind: ModelKind) -> str:
        """Return what is promised, in words to print before a run.

        Examples
        --------
        >>> preset(Level.OFF, examples=1000).meaning(ModelKind.TORCH)
        'privacy off: nothing is promised; the server sees every update'
        """
        if self.epsilon is None:
            return f"privacy {self.level}: nothing is promised; the server sees every update"
        seen = "sums of updates only" if self.hiding is Hiding.SECAGG else "every noisy update"
        clip = f"; clip {self.clip:g}" if kind is ModelKind.TORCH else ""
        return (
            f"privacy {self.level}: epsilon {self.epsilon:g}, delta {self.delta:g} over the "
            f"whole run for each training example, added or removed, against everybody but "
            f"the client that holds it; the server sees {seen}; {MECHANISMS[kind]}{clip}"
        )


_EPSILON = {Level.LOW: 8.0, Level.MEDIUM: 3.0, Level.HIGH: 1.0}


def preset(
    level: Level,
    *,
    examples: int,
    epsilon: float | None = None,
    delta: float | None = None,
    clip: float | None = None,
) -> Preset:
    """Return a level's settings, with what the user gave in place of its numbers.

    Parameters
    ----------
    level : Level
        ``low``, ``medium`` and ``high`` are example-level DP with epsilon 8, 3 and 1 over
        the whole run; ``high`` adds secure aggregation.
    examples : int
        Most training examples of any client: delta must be below 1 over it.

    Raises
    ------
    ConfigError
        If a number promises nothing, or stands beside ``off``.

    Examples
    --------
    >>> preset(Level.HIGH, examples=1000).epsilon
    1.0
    """
    if level is Level.OFF:
        numbers = {"epsilon": epsilon, "delta": delta, "clip": clip}
        given = [name for name, value in numbers.items() if value is not None]
        if given:
            raise ConfigError(
                f"{given[0]} needs a privacy level",
                came="privacy off",
                action="use --privacy low, medium or high",
            )
        return Preset(
            level=level,
            epsilon=None,
            delta=None,
            clip=1.0,
            dp=NoisePlace.NONE,
            hiding=Hiding.NONE,
        )
    wanted = min(DELTA, 0.1 / max(1, examples)) if delta is None else delta
    return Preset(
        level=level,
        epsilon=checked_epsilon(_EPSILON[level] if epsilon is None else epsilon),
        delta=checked_delta(wanted, units=examples),
        clip=positive("clip", 1.0 if clip is None else clip),
        dp=NoisePlace.EXAMPLE,
        hiding=Hiding.SECAGG if level is Level.HIGH else Hiding.NONE,
    )

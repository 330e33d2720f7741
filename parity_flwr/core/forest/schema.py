"""What a forest predicts from what, and how large one may be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_flwr.errors import ConfigError

ClassName = str | int | float | bool
"""A class as the user calls it."""

MAX_FEATURES = 1_000_000
MAX_CLASSES = 1000
_MAX_TEXT = 1000  # characters of one class name


@dataclass(frozen=True)
class ForestSchema:
    """What every tree of a federation predicts from what.

    Parameters
    ----------
    features : int
        Number of inputs, at least 1.
    classes : tuple of str, int, float or bool
        The classes in the order of the leaves' columns; empty for regression.

    Raises
    ------
    ConfigError
        If there is one class only, a class twice, or too many.

    Examples
    --------
    >>> ForestSchema(4, ("benign", "malign")).outputs, ForestSchema(4).outputs
    (2, 1)
    """

    features: int
    classes: tuple[ClassName, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.features <= MAX_FEATURES:
            raise ConfigError(
                f"a forest needs 1 to {MAX_FEATURES} features",
                came=str(self.features),
                action="change the data",
            )
        _check_classes(self.classes)

    @classmethod
    def of(cls, features: int, classes: Sequence[Any] | NDArray[Any] = ()) -> ForestSchema:
        """Return the schema with numpy's scalars as Python's own.

        Examples
        --------
        >>> ForestSchema.of(2, np.array(["a", "b"])).classes
        ('a', 'b')
        """
        return cls(features, tuple(np.asarray(classes).tolist()))

    @property
    def regression(self) -> bool:
        """Whether the forest predicts a number."""
        return not self.classes

    @property
    def outputs(self) -> int:
        """Columns of a leaf: one for each class, one for a number."""
        return len(self.classes) or 1


def _check_classes(classes: tuple[ClassName, ...]) -> None:
    kinds = {type(each) for each in classes}
    fits = kinds <= {str} or kinds <= {bool} or kinds <= {int} or kinds <= {int, float}
    sizes = fits and all(
        len(each) <= _MAX_TEXT if isinstance(each, str) else math.isfinite(each)
        for each in classes
    )
    once = len(set(classes)) == len(classes)
    if not (sizes and once and len(classes) != 1 and len(classes) <= MAX_CLASSES):
        raise ConfigError(
            f"a forest needs 2 to {MAX_CLASSES} different classes of one type, or none",
            came=f"{len(classes)}: {classes!r}"[:200],
            action="name each class once; give none for regression",
        )


@dataclass(frozen=True, kw_only=True)
class ForestLimits:
    """How large a forest from outside may be; everything is refused before it is used.

    Parameters
    ----------
    trees, nodes, depth : int
        Most trees, nodes of all trees together, and edges from a root to a leaf.
    magnitude : float
        Largest absolute threshold, leaf value of a regression, or weight.
    agreeing : bool
        Whether an inner node's value must be the weighted mean of its children's, as with
        every criterion but the absolute error: a leaf table changed alone is found out.
    """

    trees: int = 10_000
    nodes: int = 20_000_000
    depth: int = 1000
    magnitude: float = 1e12
    agreeing: bool = True

    def __post_init__(self) -> None:
        for name in ("trees", "nodes", "depth"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} needs a number from 1",
                    came=str(getattr(self, name)),
                    action=f"change {name}",
                )
        if not 0 < self.magnitude < math.inf:
            raise ConfigError(
                "magnitude needs a number above 0",
                came=str(self.magnitude),
                action="change magnitude",
            )

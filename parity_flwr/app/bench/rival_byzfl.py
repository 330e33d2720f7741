"""byzfl's rules, if it is there; it is never a dependency of the package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Rule = Callable[[NDArray[np.float32]], object]

_UNUSED = ("torchvision", "torchvision.datasets", "torchvision.transforms", "seaborn")


class _Stub(ModuleType):
    """Stands in for what byzfl imports and its rules never use (torchvision pulls CUDA)."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []  # what makes a module a package

    def __getattr__(self, name: str) -> _Stub:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(f"{self.__name__}.{name}")

    def __call__(self, *arguments: object, **options: object) -> _Stub:
        return self


def byzfl_rules(n: int, byzantine: int) -> dict[str, Rule] | str:
    """Return byzfl's rules by our names, or why there are none."""
    if importlib.util.find_spec("byzfl") is None:
        return "byzfl is not installed: pip install --no-deps byzfl (and scipy)"
    missing = [name for name in _UNUSED if name.split(".")[0] not in _installed()]
    sys.modules.update({name: _Stub(name) for name in missing})
    try:
        found = importlib.import_module("byzfl.aggregators.aggregators")
    except ImportError as error:
        return f"byzfl cannot be imported: {error}"
    finally:
        for name in missing:
            sys.modules.pop(name, None)
    return {
        "mean": found.Average(),
        "median": found.Median(),
        "trimmed_mean": found.TrMean(byzantine),
        "krum": found.Krum(byzantine),
        "multi_krum": found.MultiKrum(byzantine),
        "geometric_median": found.GeometricMedian(),
        "centred_clipping": found.CenteredClipping(),
    }


def _installed() -> set[str]:
    roots = {name.split(".")[0] for name in _UNUSED}
    return {name for name in roots if importlib.util.find_spec(name) is not None}

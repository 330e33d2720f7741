"""Every compared strategy by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parity_flwr.app.compare import single_shot as rules
from parity_flwr.app.compare.averaging import fedavg, oracle, robust_downweighting
from parity_flwr.app.compare.contender import Recipe
from parity_flwr.app.compare.reputation import (
    inclusive,
    neighbour,
    paper,
    reputation,
    reputation_root,
)
from parity_flwr.app.compare.secagg_groups import secagg_groups

ORACLE: Final = "oracle"
DEFAULT: Final = "reputation"
SECAGG_GROUPS: Final = "secagg_groups"
INCLUSIVE: Final = "inclusive"
NEIGHBOUR: Final = "neighbour"
REPUTATION_ROOT: Final = "reputation_root"
ON_REQUEST: Final = frozenset({SECAGG_GROUPS, NEIGHBOUR, REPUTATION_ROOT})
"""Compared where they are named, in no preset."""

CONTENDERS: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        DEFAULT: reputation,
        INCLUSIVE: inclusive,
        NEIGHBOUR: neighbour,
        ORACLE: oracle,
        "fedavg": fedavg,
        "paper": paper,
        "robust_downweighting": robust_downweighting,
        "krum": rules.krum,
        "multi_krum": rules.multi_krum,
        "median": rules.median,
        "trimmed_mean": rules.trimmed_mean,
        "geometric_median": rules.geometric_median,
        "centred_clipping": rules.centred_clipping,
        "nnm_trimmed_mean": rules.nnm_trimmed_mean,
        "fltrust": rules.fltrust,
        SECAGG_GROUPS: secagg_groups,
        REPUTATION_ROOT: reputation_root,
    }
)
"""Name -> recipe; "fltrust" and "reputation_root" alone are given the root examples."""

"""Forests as numbers: checked, encoded, walked, scored and chosen in numpy alone."""

from parity_flwr.core.forest.arrays import COLUMNS, Forest, Nodes, bagged
from parity_flwr.core.forest.duplicates import copies
from parity_flwr.core.forest.encoding import FIELDS, decode_forest, encode_forest
from parity_flwr.core.forest.prediction import forest_values, importances, tree_values
from parity_flwr.core.forest.schema import ForestLimits, ForestSchema
from parity_flwr.core.forest.scoring import WORST_LOSS, agreed_losses, forest_loss, tree_losses
from parity_flwr.core.forest.selection import BaggingConfig, choose_trees, poisoned
from parity_flwr.core.forest.validation import check_trees

__all__ = [
    "COLUMNS",
    "FIELDS",
    "WORST_LOSS",
    "BaggingConfig",
    "Forest",
    "ForestLimits",
    "ForestSchema",
    "Nodes",
    "agreed_losses",
    "bagged",
    "check_trees",
    "choose_trees",
    "copies",
    "decode_forest",
    "encode_forest",
    "forest_loss",
    "forest_values",
    "importances",
    "poisoned",
    "tree_losses",
    "tree_values",
]

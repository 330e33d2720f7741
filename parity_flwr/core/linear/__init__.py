"""Linear and logistic regression in numpy: exact from statistics, or by gradient steps."""

from parity_flwr.core.linear.gradient import (
    LinearTask,
    descend,
    mean_loss,
    predict_linear,
)
from parity_flwr.core.linear.moments import Moments, moments_of, to_root
from parity_flwr.core.linear.roots import Root, disagreement, merge, root_of, solve

__all__ = [
    "LinearTask",
    "Moments",
    "Root",
    "descend",
    "disagreement",
    "mean_loss",
    "merge",
    "moments_of",
    "predict_linear",
    "root_of",
    "solve",
    "to_root",
]

"""What each participant gains over training alone, and how well the model is calibrated."""

from parity_flwr.app.benefit.calibration import Bin, Calibration
from parity_flwr.app.benefit.comparing import compare
from parity_flwr.app.benefit.participants import Participant, Predict, Train
from parity_flwr.app.benefit.picture import draw
from parity_flwr.app.benefit.ranking import AUC, AVERAGE_PRECISION, Metric
from parity_flwr.app.benefit.records import Benefit, Gain, Reference
from parity_flwr.app.benefit.table import lines

__all__ = [
    "AUC",
    "AVERAGE_PRECISION",
    "Benefit",
    "Bin",
    "Calibration",
    "Gain",
    "Metric",
    "Participant",
    "Predict",
    "Reference",
    "Train",
    "compare",
    "draw",
    "lines",
]

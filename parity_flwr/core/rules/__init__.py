"""Rules that turn n updates into one, each a pure function of :class:`Rows`.

A rule reads its rows in blocks, never copies the matrix, and returns a float32 vector. Its
extra memory is under 64 MiB beyond the result and a few arrays of shape (n, n).
"""

from parity_flwr.core.rules.averages import FLTrust, Mean, NormClipping
from parity_flwr.core.rules.bulyan import Bulyan
from parity_flwr.core.rules.centres import CentredClipping, GeometricMedian
from parity_flwr.core.rules.coordinates import CoordinateMedian, TrimmedMean
from parity_flwr.core.rules.krum import Krum, MultiKrum
from parity_flwr.core.rules.mixing import NearestNeighbourMixing
from parity_flwr.core.rules.protocol import AggregationRule

__all__ = [
    "AggregationRule",
    "Bulyan",
    "CentredClipping",
    "CoordinateMedian",
    "FLTrust",
    "GeometricMedian",
    "Krum",
    "Mean",
    "MultiKrum",
    "NearestNeighbourMixing",
    "NormClipping",
    "TrimmedMean",
]

"""Flower strategies that know whom to believe.

``Reputation(inner)`` adds the gate, reputation and the journal to any Message-API strategy;
``ReputationFedAvg`` is ``Reputation(FedAvg(...))``, the paper's Algorithm 1.
``ReputationConsensus(inner)`` gives validators drawn from the clients the last word.
``RobustDownweighting(inner)`` is P-5 and P-6 alone, ``Guarded(inner)`` the gate alone, and
``RuleStrategy(rule)`` any rule of :mod:`parity_flwr.core.rules` behind the gate; the rules of
the literature are there by name. ``SecureAggregation()`` averages updates that the server
cannot see, ``SubgroupSecureAggregation()`` does so in groups that it can judge.
"""

from parity_flwr.strategies.bookkeeping import AUTOMATIC
from parity_flwr.strategies.consensus import ReputationConsensus
from parity_flwr.strategies.downweighting import RobustDownweighting
from parity_flwr.strategies.facts import ScoreFunction
from parity_flwr.strategies.gate import Gate, Passed, Refused
from parity_flwr.strategies.guarded import Guarded, Setup
from parity_flwr.strategies.identity import IdentitySource, NodeKeyIdentity, PartitionIdentity
from parity_flwr.strategies.ready import (
    Bulyan,
    CentredClipping,
    CoordinateMedian,
    FLTrust,
    GeometricMedian,
    Krum,
    MultiKrum,
    NearestNeighbourMixing,
    NormClipping,
    SafeFedAvg,
    TrimmedMean,
)
from parity_flwr.strategies.reputation import Reputation
from parity_flwr.strategies.reputation_fedavg import ReputationFedAvg
from parity_flwr.strategies.ruled import RootUpdate, RuleStrategy
from parity_flwr.strategies.sampling import Sampling
from parity_flwr.strategies.secure_aggregation import SecureAggregation
from parity_flwr.strategies.secure_config import SecureSetup
from parity_flwr.strategies.secure_groups import SubgroupSecureAggregation

__all__ = [
    "AUTOMATIC",
    "Bulyan",
    "CentredClipping",
    "CoordinateMedian",
    "FLTrust",
    "Gate",
    "GeometricMedian",
    "Guarded",
    "IdentitySource",
    "Krum",
    "MultiKrum",
    "NearestNeighbourMixing",
    "NodeKeyIdentity",
    "NormClipping",
    "PartitionIdentity",
    "Passed",
    "Refused",
    "Reputation",
    "ReputationConsensus",
    "ReputationFedAvg",
    "RobustDownweighting",
    "RootUpdate",
    "RuleStrategy",
    "SafeFedAvg",
    "Sampling",
    "ScoreFunction",
    "SecureAggregation",
    "SecureSetup",
    "Setup",
    "SubgroupSecureAggregation",
    "TrimmedMean",
]

"""Flower strategies that know whom to believe.

``Reputation(inner)`` adds the gate, reputation and the journal to any Message-API strategy;
``ReputationFedAvg`` is ``Reputation(FedAvg(...))``, the paper's Algorithm 1.
``ReputationConsensus(inner)`` gives validators drawn from the clients the last word.
``RobustDownweighting(inner)`` is P-5 and P-6 alone, ``Guarded(inner)`` the gate alone, and
``RuleStrategy(rule)`` any rule of :mod:`parity_flwr.core.rules` behind the gate; the rules of
the literature are there by name. ``ForestBagging`` is the same trust over random forests,
``LeastSquares`` over the statistics of a linear regression. ``DPFedAvg`` averages under
central differential privacy, ``ReleasedSums`` averages what clients release once under their
own, ``EncryptedAggregation`` adds up ciphertexts,
``SecureAggregation`` averages updates that the server cannot see, and
``SubgroupSecureAggregation`` does so in groups that it can judge.
"""

from parity_flwr.core.modes import Mode, trust_config
from parity_flwr.strategies.bookkeeping import AUTOMATIC
from parity_flwr.strategies.consensus import ReputationConsensus
from parity_flwr.strategies.downweighting import RobustDownweighting
from parity_flwr.strategies.dp_fedavg import DPFedAvg
from parity_flwr.strategies.encrypted import EncryptedAggregation
from parity_flwr.strategies.encryption_setup import Encryption
from parity_flwr.strategies.facts import ScoreFunction
from parity_flwr.strategies.forest_bagging import ForestBagging
from parity_flwr.strategies.gate import Gate, Passed, Refused
from parity_flwr.strategies.guarded import Guarded, Setup
from parity_flwr.strategies.identity import IdentitySource, NodeKeyIdentity, PartitionIdentity
from parity_flwr.strategies.least_squares import LeastSquares
from parity_flwr.strategies.options import Options
from parity_flwr.strategies.pooled import PooledStatistics
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
from parity_flwr.strategies.released_sums import ReleasedSums
from parity_flwr.strategies.reputation import Reputation
from parity_flwr.strategies.reputation_fedavg import ReputationFedAvg
from parity_flwr.strategies.ruled import RootUpdate, RuleStrategy
from parity_flwr.strategies.sampling import Sampling
from parity_flwr.strategies.secure_aggregation import SecureAggregation
from parity_flwr.strategies.secure_config import SecureSetup
from parity_flwr.strategies.secure_groups import SubgroupSecureAggregation
from parity_flwr.strategies.tree_union import TreeUnion

__all__ = [
    "AUTOMATIC",
    "Bulyan",
    "CentredClipping",
    "CoordinateMedian",
    "DPFedAvg",
    "EncryptedAggregation",
    "Encryption",
    "FLTrust",
    "ForestBagging",
    "Gate",
    "GeometricMedian",
    "Guarded",
    "IdentitySource",
    "Krum",
    "LeastSquares",
    "Mode",
    "MultiKrum",
    "NearestNeighbourMixing",
    "NodeKeyIdentity",
    "NormClipping",
    "Options",
    "PartitionIdentity",
    "Passed",
    "PooledStatistics",
    "Refused",
    "ReleasedSums",
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
    "TreeUnion",
    "TrimmedMean",
    "trust_config",
]

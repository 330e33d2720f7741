"""Flower strategies that know whom to believe.

``Reputation(inner)`` adds the gate, reputation and the journal to any Message-API strategy;
``ReputationFedAvg`` is ``Reputation(FedAvg(...))``, the paper's Algorithm 1.
"""

from parity_flwr.strategies.bookkeeping import AUTOMATIC
from parity_flwr.strategies.consensus import ReputationConsensus
from parity_flwr.strategies.facts import ScoreFunction
from parity_flwr.strategies.gate import Gate, Passed, Refused
from parity_flwr.strategies.identity import IdentitySource, NodeKeyIdentity, PartitionIdentity
from parity_flwr.strategies.reputation import Reputation
from parity_flwr.strategies.reputation_fedavg import ReputationFedAvg
from parity_flwr.strategies.sampling import Sampling

__all__ = [
    "AUTOMATIC",
    "Gate",
    "IdentitySource",
    "NodeKeyIdentity",
    "PartitionIdentity",
    "Passed",
    "Refused",
    "Reputation",
    "ReputationConsensus",
    "ReputationFedAvg",
    "Sampling",
    "ScoreFunction",
]

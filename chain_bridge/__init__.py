"""The bridge from a run's journal to reputation contracts and content-addressed storage.

This is the only package that may import web3 or speak to IPFS. What the core declares and
the bridge implements: :class:`parity_flwr.core.protocols.Ledger` is
:class:`parity_flwr.chain_bridge.publisher.RoundPublisher`. Ethereum's libraries (extra
``chain``) are imported when they are used, not here.
"""

from parity_flwr.chain_bridge.chain import Block, Call, Chain, Fees, Receipt
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    fund_pool,
)
from parity_flwr.chain_bridge.drain import Drain
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.indexing import IndexFollower
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.publisher import RoundContent, RoundFiles, RoundPublisher
from parity_flwr.chain_bridge.rounds import RoundAnchor, RoundPremise, round_intent
from parity_flwr.chain_bridge.sender import Progress, Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import Wallet, require_fit

__all__ = [
    "Block",
    "Call",
    "Chain",
    "Deployment",
    "DeploymentSettings",
    "Drain",
    "EmbeddedChain",
    "Fees",
    "IndexFollower",
    "JsonRpcChain",
    "MemoryOutbox",
    "Progress",
    "Receipt",
    "RoundAnchor",
    "RoundContent",
    "RoundFiles",
    "RoundPremise",
    "RoundPublisher",
    "Sender",
    "SenderSettings",
    "Wallet",
    "connect",
    "deploy",
    "fund_pool",
    "require_fit",
    "round_intent",
]

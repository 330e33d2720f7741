"""Stores for what a run publishes: a directory, IPFS nodes, pinning services."""

from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.content.fetching import FetchedRound, fetch_round
from parity_flwr.chain_bridge.content.publishing import publish_round

__all__ = ["DirectoryStore", "FetchedRound", "fetch_round", "publish_round"]

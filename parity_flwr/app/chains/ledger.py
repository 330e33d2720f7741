"""The ledger for a strategy that runs without our command line."""

from __future__ import annotations

from pathlib import Path

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.publishing import WAIT_S, Publishing
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.core.economy.claims import RewardConfig


def chain_ledger(
    run: RunFolder,
    chain: str = "embedded",
    *,
    wallet: str | None = None,
    members: Path | None = None,
    rewards: RewardConfig | None = None,
    wait_s: float = WAIT_S,
) -> Publishing:
    """Return a ledger that anchors a run's rounds, to be used as a context manager.

    Give it to a strategy as ``ledger=``. On leaving the context it waits for the chain at
    most ``wait_s`` seconds; what is left stays in the outbox for ``parity chain drain``.

    Parameters
    ----------
    run : RunFolder
        The folder of the strategy's journal.
    chain : str
        "embedded", or the URL of a node on which ``parity chain deploy`` was run.
    wallet : str, optional, keyword-only
        The wallet that publishes, with a URL; by default ``PARITY_CHAIN_KEY``, then the
        wallet "default".
    members : Path, optional, keyword-only
        Who is registered, with a URL.
    rewards : RewardConfig, optional, keyword-only
        What a round pays; 1,000 tokens by default.
    wait_s : float, keyword-only
        How long to wait at the end.

    Raises
    ------
    ConfigError, ChainError
        On entering: no node, no contracts, no key, or another chain.
    """
    choice = ChainChoice(
        where=chain, wallet=wallet, members=members, rewards=rewards or RewardConfig()
    )
    return Publishing(choice, locate=lambda: run, resume=run, wait_s=wait_s)

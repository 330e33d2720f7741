"""From what ``--chain`` says to a chain."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.chain_bridge.rpc_answers import wrong_chain
from parity_flwr.errors import ConfigError

EMBEDDED = "embedded"


def connect(
    where: str,
    *,
    folder: Path | None = None,
    chain_id: int | None = None,
    timeout_s: float = 10.0,
) -> EmbeddedChain | JsonRpcChain:
    """Return the chain that ``where`` names: "embedded", or the URL of a node.

    Parameters
    ----------
    where : str
        "embedded", or an http or https URL.
    folder : Path or None, keyword-only
        Where the embedded chain keeps its state; None keeps it in memory.
    chain_id : int or None, keyword-only
        The only chain that will do. None takes any, and asks which it is at once; with a
        number the node is asked at the first use, so that a run can start while it is away.
    timeout_s : float, keyword-only
        How long to wait for a node.

    Raises
    ------
    ConfigError
        ``where`` is neither.
    ChainError
        It is another chain; for a node also NodeError where it does not answer.
    """
    if where == EMBEDDED:
        chain = EmbeddedChain(folder)
        if chain_id not in (None, chain.chain_id):
            with closing(chain):
                raise wrong_chain(needed=chain_id, came=chain.chain_id)
        return chain
    if not where.startswith(("http://", "https://")):
        raise ConfigError(
            "a chain needs 'embedded' or the URL of a node (http:// or https://)",
            came=ascii(where)[:20],
            action="change --chain",
        )
    node = JsonRpcChain(where, expected_chain_id=chain_id, timeout_s=timeout_s)
    if chain_id is None:
        _ = node.chain_id
    return node

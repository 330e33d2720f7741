"""What a run on a chain would send, and what that costs."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.members_file import read_members
from parity_flwr.app.chains.opened import open_node
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.evm import require_evm
from parity_flwr.chain_bridge.signing_rows import TIP

ROUND_GAS = 69_540
REGISTRATION_GAS = 102_990
FUNDING_GAS = 192_230
DEPLOYMENT_GAS = 6_086_100
"""Measured on the embedded chain: a round whatever its number of clients, one member's
registration, the three transactions that fill the pool, the three contracts."""

_FUNDING, _CONTRACTS = 3, 3


def chain_forecast(
    choice: ChainChoice, *, clients: int, rounds: int, environment: Environment
) -> dict[str, Any]:
    """Return how many transactions a run sends, their gas, and what that costs now.

    A node is asked for its base fee, and whether it has the contracts and this machine the
    key that a run needs.

    Raises
    ------
    ConfigError, ChainError
        The run could not publish there.
    MissingExtraError
        The extra ``chain`` is not installed.
    """
    parts = {
        "rounds": {"transactions": rounds, "gas": rounds * ROUND_GAS},
        "pool": {"transactions": _FUNDING, "gas": FUNDING_GAS},
    }
    if choice.embedded:
        require_evm()
        parts["contracts"] = {"transactions": _CONTRACTS, "gas": DEPLOYMENT_GAS}
        members, price = clients, 0
    else:
        opened = open_node(choice, environment, run=None)
        found = (
            read_members(choice.members, deployment=opened.deployment)
            if choice.members is not None
            else ()
        )
        members, price = len(found), _price(choice.where)
    parts["members"] = {"transactions": members, "gas": members * REGISTRATION_GAS}
    gas = sum(each["gas"] for each in parts.values())
    return {
        "where": "embedded" if choice.embedded else "a node",
        "transactions": sum(each["transactions"] for each in parts.values()),
        "gas": gas,
        "gas_price_wei": price,
        "cost_wei": str(gas * price),
        "parts": parts,
    }


def _price(where: str) -> int:
    """Return what a unit of gas costs in the node's last block, our tip included."""
    head = connect(where).block("latest")
    return TIP if head is None else head.base_fee + TIP

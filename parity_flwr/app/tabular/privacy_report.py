"""What a private run on a table spent, from the ledgers that its clients kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from flwr.app import Context, RecordDict

from parity_flwr.app.engines.client_state import unpack
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID
from parity_flwr.app.tabular.privacy import TablePrivacy
from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.core.privacy.accounting import Release, spent_epsilon
from parity_flwr.core.privacy.ledger import Budget, Charge, Ledger, releases_of


def client_ledgers(state: bytes, *, clients: int, budget: Budget) -> dict[str, Ledger]:
    """Return the clients' ledgers from the state of all of them (``save_client_state``)."""
    nodes = range(FIRST_NODE_ID, FIRST_NODE_ID + clients)
    states = unpack(state, nodes=nodes)
    return {
        f"client-{node - FIRST_NODE_ID}": ClientLedger(budget, _context(node, each)).ledger
        for node, each in sorted(states.items())
    }


def reported_ledgers(charges: Iterable[Charge], *, budget: Budget) -> dict[str, Ledger]:
    """Return the clients' ledgers from what they reported to the journal."""
    found: dict[str, list[Charge]] = {}
    for charge in charges:
        found.setdefault(charge.client, []).append(charge)
    return {
        name: Ledger(budget=budget, charges=tuple(own)) for name, own in sorted(found.items())
    }


def privacy_report(privacy: TablePrivacy, ledgers: Mapping[str, Ledger]) -> dict[str, Any]:
    """Return settings, meaning, and what the clients' ledgers say was spent.

    "spent" is the epsilon of the client that spent most; "encoding" and "training" are what
    each would cost that client without the other: together they cost less than their sum.
    """
    delta = privacy.budget.delta
    spent = {name: _spent(each.charges, delta) for name, each in ledgers.items()}
    most = max(spent, key=spent.__getitem__)
    charges = ledgers[most].charges
    return {
        **privacy.settings(),
        "meaning": list(privacy.meaning),
        "guarantee": privacy.guarantee,
        "spent": spent[most],
        "spent_by_client": spent,
        "encoding": _spent((each for each in charges if each.round == 0), delta),
        "training": _spent((each for each in charges if each.round), delta),
        "charges": {name: len(each.charges) for name, each in ledgers.items()},
    }


def _context(node: int, state: RecordDict) -> Context:
    return Context(run_id=1, node_id=node, node_config={}, state=state, run_config={})


def _spent(charges: Iterable[Charge], delta: float) -> float:
    return _added_up(tuple(releases_of(charges)), delta)


@lru_cache(maxsize=256)
def _added_up(releases: tuple[Release, ...], delta: float) -> float:
    """Return their epsilon; clients of one size have the same."""
    return spent_epsilon(releases, delta=delta)

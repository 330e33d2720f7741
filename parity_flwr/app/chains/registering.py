"""Before a run: members of a file registered, and tokens made for them, by whoever deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parity_flwr.app.chains.desk import Desk
from parity_flwr.app.chains.members_file import read_members
from parity_flwr.chain_bridge.calls import encode_call
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import identity_of
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.reward_tree import checked_account


def register_members(desk: Desk, path: Path, *, wallet: str | None) -> dict[str, Any]:
    """Register the members of a file that are not yet, so that they can stake before a run.

    Parameters
    ----------
    desk : Desk
    path : Path
        As ``parity run --members`` takes it.
    wallet : str or None, keyword-only
        Whose coins pay the gas: anybody's.

    Raises
    ------
    ConfigError
        The file is not sound, or a member did not consent to this registry.
    ChainError
        The contract refuses, as when a wallet is registered with another node key.
    """
    made = desk.deployment
    sent = []
    with desk.sending(wallet=wallet, identity=None) as member:
        consents = read_members(path, deployment=made, chain=member.chain)
        for name, each in consents.items():
            if identity_of(member.chain, each.account, deployment=made) != each.member.identity:
                member.send(each.intent(made))
                sent.append(name)
    return {"registry": made.registry, "members": len(consents), "registered": sent}


def mint_tokens(desk: Desk, account: str, amount: int, *, wallet: str | None) -> dict[str, Any]:
    """Make tokens for an account; ChainError unless the wallet is the owner's."""
    to = checked_account(account)
    data = encode_call(artifact("ParityToken"), "mint", (to, amount))
    with desk.sending(wallet=wallet, identity=None) as owner:
        owner.send(Intent(key="mint", to=desk.deployment.token, data=data))
        balance = desk.ask(owner.chain, "ParityToken", "balanceOf", to)
    return {"account": to, "minted": tokens(amount), "balance": tokens(balance)}

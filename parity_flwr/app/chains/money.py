"""What members do with their rewards and stakes, as plain functions with plain results."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.chains.desk import Desk, MemberSender
from parity_flwr.app.chains.granted import claimed, granted
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.run_desk import RunDesk
from parity_flwr.app.chains.summary import earnings
from parity_flwr.app.chains.terms import read_terms
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.chain_bridge.calls import encode_call
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import approve_intent, claim_intent, deposit_intent
from parity_flwr.core.anchoring import Intent, OutboxRow
from parity_flwr.core.content.scores import ScoreRow
from parity_flwr.core.economy.amounts import MILLION, tokens
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.errors import ConfigError

STATUSES = ("none", "active", "suspended", "appealed", "retired")


def rewards_of(desk: RunDesk) -> dict[str, Any]:
    """Return what everybody earned by the journal, may claim by now, and was paid."""
    journal = open_journal(desk.run)
    terms = read_terms(ChainPlaces(desk.run.path))
    state = earnings(journal.rounds(), terms.rewards if terms else RewardConfig())
    with desk.reading() as chain:
        logs = desk.logs(chain)
        active, paid = granted(desk, chain, logs), claimed(desk, logs)
    rows = {} if active is None else {row.identity: row for row in active.scores.rows}
    clients = []
    for name in sorted(state.earned.keys() | rows.keys()):
        row = rows.get(name)
        member = row.leaf.member if row is not None and row.leaf is not None else None
        taken = 0 if member is None else paid.get(member.identity, 0)
        open_amount = row.cumulative - taken if row is not None and member is not None else 0
        clients.append(
            {
                "identity": name,
                "account": member.account if member else None,
                "earned": tokens(state.earned.get(name, 0)),
                "claimable": tokens(open_amount),
                "claimed": tokens(taken),
            }
        )
    return {
        "run_id": desk.run_id,
        "round": active.key.round if active else 0,
        "carried": tokens(state.carried),
        "clients": clients,
    }


def claim(desk: Desk, *, wallet: str | None, identity: str | None) -> dict[str, Any]:
    """Claim all that a member was granted so far; whoever sends, its account is paid.

    Raises
    ------
    ConfigError
        Nothing is granted yet, all of it is paid, or the wallet is no member's.
    ChainError
        The contract refuses.
    """
    with desk.sending(wallet=wallet, identity=identity) as member:
        active = granted(desk, member.chain, desk.logs(member.chain))
        if active is None:
            raise ConfigError(
                f"claiming needs a round of {desk.run_id or 'the run'} that counts",
                came="none yet: rounds count after the ledger's delay",
                action="try again later",
            )
        row = _row_of(active.scores.rows, member.sender.address, identity)
        leaf, proof = active.scores.tree.find(row.identity)
        before = _paid(desk, member.chain, leaf.member)
        if before >= leaf.cumulative:
            raise ConfigError(
                f"claiming needs something that {row.identity} was granted and not paid",
                came=f"{tokens(leaf.cumulative)} tokens up to round {active.key.round}, paid",
                action="try again when a later round counts: see 'parity rewards'",
            )
        sent = member.send(claim_intent(active.key, leaf, proof, deployment=desk.deployment))
        after = _paid(desk, member.chain, leaf.member)
        balance = desk.ask(member.chain, "ParityToken", "balanceOf", leaf.member.account)
    return {
        "run_id": desk.run_id,
        "identity": row.identity,
        "account": leaf.member.account,
        "round": active.key.round,
        "paid": tokens(after - before),
        "balance": tokens(balance),
        **_sent(sent),
    }


def stake(
    desk: Desk, amount: int, *, wallet: str | None, identity: str | None
) -> dict[str, Any]:
    """Put tokens at stake for the member whose wallet it is; ChainError if it has too few."""
    with desk.sending(wallet=wallet, identity=identity) as member:
        who = _member(desk, member)
        made = desk.deployment
        member.send(
            approve_intent(made.registry, amount=amount, deployment=made, key="approve")
        )
        sent = member.send(deposit_intent(who, amount=amount, deployment=made, key="deposit"))
        return {**_standing(desk, member.chain, who), **_sent(sent)}


def unstake(
    desk: Desk, amount: int | None, *, wallet: str | None, identity: str | None
) -> dict[str, Any]:
    """Begin to take stake out; without an amount, pay out what has waited long enough."""
    registry, made = artifact("ReputationRegistry"), desk.deployment
    with desk.sending(wallet=wallet, identity=identity) as member:
        who = _member(desk, member)
        if amount is None:
            data, key = encode_call(registry, "withdraw", (who.identity,)), "withdraw"
        else:
            data, key = encode_call(registry, "unbond", (who.identity, amount)), "unbond"
        sent = member.send(Intent(key=key, to=made.registry, data=data))
        return {**_standing(desk, member.chain, who), **_sent(sent)}


def chain_standings(desk: Desk) -> dict[str, Any]:
    """Return every member as ledger and registry have it."""
    with desk.reading() as chain:
        active = granted(desk, chain, desk.logs(chain))
        rows = () if active is None else active.scores.rows
        clients = [
            {
                "identity": row.identity,
                "reputation": row.reputation / MILLION,
                **_standing(desk, chain, row.leaf.member),
            }
            for row in rows
            if row.leaf is not None
        ]
    return {
        "run_id": desk.run_id,
        "round": active.key.round if active else 0,
        "ledger": desk.deployment.ledger,
        "clients": clients,
    }


def _standing(desk: Desk, chain: Chain, member: Member) -> dict[str, Any]:
    outputs = artifact("ReputationRegistry").entry("function", "get")["outputs"]
    names = [each["name"] for each in outputs[0]["components"]]
    values = desk.ask(chain, "ReputationRegistry", "get", member.identity)
    kept = dict(zip(names, values, strict=True))
    return {
        "member": "0x" + member.identity.hex(),
        "account": member.account,
        "status": STATUSES[kept["status"]],
        "stake": tokens(kept["stake"]),
        "unbonding": tokens(kept["unbonding"]),
        "release_at": kept["releaseAt"],
        "balance": tokens(desk.ask(chain, "ParityToken", "balanceOf", member.account)),
    }


def _member(desk: Desk, member: MemberSender) -> Member:
    account = member.sender.address
    identity = desk.ask(member.chain, "ReputationRegistry", "identityOf", account)
    if not any(identity):
        raise ConfigError(
            "staking needs the wallet of a registered member",
            came=f"{account}, which is none",
            action="choose it with --wallet, or --identity on the embedded chain",
        )
    return Member(identity=identity, account=account)


def _row_of(rows: tuple[ScoreRow, ...], account: str, identity: str | None) -> ScoreRow:
    for row in rows:
        wanted = row.identity == identity if identity is not None else row.account == account
        if row.leaf is not None and wanted:
            return row
    raise ConfigError(
        "claiming needs a registered member",
        came=ascii(identity)[:80]
        if identity
        else f"the wallet {account}, which is no member's",
        action="see 'parity rewards RUN'",
    )


def _paid(desk: Desk, chain: Chain, member: Member) -> int:
    return int(desk.ask(chain, "Rewards", "claimed", member.identity))


def _sent(row: OutboxRow) -> dict[str, Any]:
    return {"transaction": "0x" + (row.tx_hash or b"").hex(), "gas": row.gas_used}

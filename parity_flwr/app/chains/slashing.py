"""Slashing the offences that a run's journal shows, each once, with its evidence by CID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parity_flwr.app.chains.desk import MemberSender
from parity_flwr.app.chains.granted import active_round, recorded
from parity_flwr.app.chains.run_desk import RunDesk
from parity_flwr.app.content import content_store
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import anchor_intent
from parity_flwr.chain_bridge.slasher import SlashCase, Slasher, slash_cases
from parity_flwr.core.anchoring import ChainLog, Intent
from parity_flwr.core.content.unixfs import Profile
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.evidence import is_proven
from parity_flwr.core.economy.offences import SlashConfig
from parity_flwr.core.economy.reward_tree import Member


def slash_run(
    desk: RunDesk, *, wallet: str | None, config: SlashConfig | None = None, dry_run: bool
) -> dict[str, Any]:
    """Slash every offence of a registered identity that was not slashed yet (P-31, P-32).

    The offences follow from the journal, so anybody can compute them; the evidence is put
    into the run's content store and its CID into the transaction. An offence whose evidence
    the chain has already is not sent again, and one of an identity without stake is only
    named. The penalty counts the reputation before the round, where its root counts.

    Parameters
    ----------
    desk : RunDesk
    wallet : str or None, keyword-only
        The slasher's, with a URL; on the embedded chain the run's own key.
    config : SlashConfig, optional, keyword-only
        Severities.
    dry_run : bool, keyword-only
        Send nothing.

    Raises
    ------
    ChainError
        A transaction failed: the wallet is not the slasher's.
    """
    store = content_store(desk.run, desk.environment)
    with desk.reading() as chain:
        logs = desk.logs(chain)
        cases = _cases(desk, logs, config or SlashConfig())
        staked = {
            case.member.identity: int(
                desk.ask(chain, "ReputationRegistry", "get", case.member.identity)[4]
            )
            for case in cases
        }
    slashed = _slashed(desk, logs)
    due = [
        case
        for case in cases
        if staked[case.member.identity] and bytes(case.cid(store.profile)) not in slashed
    ]
    if due and not dry_run:
        with desk.sending(wallet=wallet, identity=None, owner=True) as sender:
            Slasher(
                sender.send,
                deployment=desk.deployment,
                store=store,
                anchor=lambda case: _anchor(desk, sender, case),
            ).slash(due)
            slashed = _slashed(desk, desk.logs(sender.chain))
    return {
        "run_id": desk.run_id,
        "offences": [
            _plain(case, slashed, staked=staked[case.member.identity], profile=store.profile)
            for case in cases
        ],
        "sent": 0 if dry_run else len(due),
    }


def _cases(desk: RunDesk, logs: Sequence[ChainLog], config: SlashConfig) -> list[SlashCase]:
    journal = open_journal(desk.run)
    members, node_keys = _members(desk, logs), _node_keys(desk, logs)
    keys = {
        name: node_keys[member.identity].hex()
        for name, member in members.items()
        if member.identity in node_keys
    }
    return slash_cases(
        journal.rounds(), members=members, config=config, run_id=journal.run_id, keys=keys
    )


def _anchor(desk: RunDesk, sender: MemberSender, case: SlashCase) -> Intent | None:
    """Return the wish that the penalty counts the reputation before, where that counts."""
    number = case.offence.round - 1
    event = recorded(desk, desk.logs(sender.chain)).get(number)
    before = active_round(desk, sender.chain, event)
    known = desk.ask(sender.chain, "ReputationRegistry", "get", case.member.identity)
    if event is None or before is None or before.round <= int(known[9]):
        return None
    tree = desk.scores(number, cid=event["scoresCid"]).tree
    if case.offence.identity not in {leaf.name for leaf in tree.leaves}:
        return None
    leaf, proof = tree.find(case.offence.identity)
    return anchor_intent(before, leaf, proof, deployment=desk.deployment)


def _members(desk: RunDesk, logs: Sequence[ChainLog]) -> Mapping[str, Member]:
    """Return who is registered, by name: the newest score list has whoever took part."""
    published = recorded(desk, logs)
    if not published:
        return {}
    last = max(published)
    leaves = desk.scores(last, cid=published[last]["scoresCid"]).tree.leaves
    return {leaf.name: leaf.member for leaf in leaves}


def _node_keys(desk: RunDesk, logs: Sequence[ChainLog]) -> Mapping[bytes, bytes]:
    events = _registry_events(desk, logs, "Registered")
    return {event["identity"]: event["nodeKey"] for event in events}


def _slashed(desk: RunDesk, logs: Sequence[ChainLog]) -> Mapping[bytes, int]:
    """Return the amounts slashed so far by their evidence."""
    events = _registry_events(desk, logs, "Slashed")
    return {event["evidenceCid"]: event["amount"] for event in events}


def _registry_events(
    desk: RunDesk, logs: Sequence[ChainLog], name: str
) -> list[Mapping[str, Any]]:
    built = artifact("ReputationRegistry")
    mine = [log for log in logs if log.address == desk.deployment.registry]
    found = (decode_event(built, name, log) for log in mine)
    return [event for event in found if event is not None]


def _plain(
    case: SlashCase, slashed: Mapping[bytes, int], *, staked: int, profile: Profile
) -> dict[str, Any]:
    cid = case.cid(profile)
    amount = slashed.get(bytes(cid))
    return {
        "identity": case.offence.identity,
        "round": case.offence.round,
        "kind": case.offence.kind,
        "severity": case.offence.severity,
        "signed": is_proven(case.offence),
        "evidence": str(cid),
        "staked": tokens(staked),
        "slashed": None if amount is None else tokens(amount),
    }

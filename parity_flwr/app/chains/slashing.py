"""Slashing the offences that a run's journal shows, each once, with its evidence by CID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.chains.desk import MemberSender, RunDesk
from parity_flwr.app.chains.granted import active_rounds
from parity_flwr.app.content import content_store
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.membership import RoundKey, anchor_intent, slash_intent
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.core.canonical import dumps
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import file_cid
from parity_flwr.core.economy.amounts import tokens
from parity_flwr.core.economy.evidence import Offence, is_proven
from parity_flwr.core.economy.offences import OffenceState, SlashConfig, step
from parity_flwr.core.economy.reward_tree import Member


@dataclass(frozen=True)
class _Case:
    """An offence of a registered identity, and what names its evidence."""

    offence: Offence
    member: Member
    cid: str


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
        if staked[case.member.identity] and bytes(Cid.parse(case.cid)) not in slashed
    ]
    if due and not dry_run:
        with desk.sending(wallet=wallet, identity=None, owner=True) as sender:
            for case in due:
                _slash(desk, sender, case)
            slashed = _slashed(desk, desk.logs(sender.chain))
    return {
        "run_id": desk.run.id,
        "offences": [
            _plain(case, slashed, staked=staked[case.member.identity]) for case in cases
        ],
        "sent": 0 if dry_run else len(due),
    }


def _cases(desk: RunDesk, logs: Sequence[ChainLog], config: SlashConfig) -> list[_Case]:
    journal = open_journal(desk.run)
    members = _members(desk, logs)
    node_keys = _node_keys(desk, logs)
    keys = {
        name: node_keys[member.identity].hex()
        for name, member in members.items()
        if member.identity in node_keys
    }
    profile = content_store(desk.run, desk.environment).profile
    state, cases = OffenceState(), list[_Case]()
    for record in journal.rounds():
        state, slashes = step(
            state, record, stakes={}, config=config, run_id=journal.run_id, keys=keys
        )
        for each in slashes:
            offence = each.offence
            if offence.identity in members and offence.severity:
                cid = str(file_cid([dumps(offence)], profile=profile))
                cases.append(_Case(offence, members[offence.identity], cid))
    return cases


def _slash(desk: RunDesk, sender: MemberSender, case: _Case) -> None:
    """Publish the evidence, let the penalty count the reputation before, then slash."""
    store = content_store(desk.run, desk.environment)
    stored = store.put(dumps(case.offence))
    store.pin(stored)
    _anchor(desk, sender, case)
    sender.send(
        slash_intent(
            case.member,
            round=case.offence.round,
            severity=case.offence.severity,
            evidence_cid=bytes(Cid.parse(stored)),
            deployment=desk.deployment,
        )
    )


def _anchor(desk: RunDesk, sender: MemberSender, case: _Case) -> None:
    rounds = active_rounds(desk, sender.chain, desk.logs(sender.chain))
    before: RoundKey | None = rounds.get(case.offence.round - 1)
    known = desk.ask(sender.chain, "ReputationRegistry", "get", case.member.identity)
    tree = desk.scores(before.round).tree if before is not None else None
    names = {leaf.name for leaf in tree.leaves} if tree is not None else set[str]()
    anchored = int(known[9])
    if before is None or tree is None or before.round <= anchored:
        return
    if case.offence.identity in names:
        leaf, proof = tree.find(case.offence.identity)
        sender.send(anchor_intent(before, leaf, proof, deployment=desk.deployment))


def _members(desk: RunDesk, logs: Sequence[ChainLog]) -> dict[str, Member]:
    """Return who is registered, by the name that the published rounds give."""
    built, found = artifact("RoundLedger"), dict[str, Member]()
    for log in logs:
        mine = log.address == desk.deployment.ledger
        event = decode_event(built, "RoundRecorded", log) if mine else None
        if event is not None:
            leaves = desk.scores(event["round"]).tree.leaves
            found |= {leaf.name: leaf.member for leaf in leaves}
    return found


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


def _plain(case: _Case, slashed: Mapping[bytes, int], *, staked: int) -> dict[str, Any]:
    amount = slashed.get(bytes(Cid.parse(case.cid)))
    return {
        "identity": case.offence.identity,
        "round": case.offence.round,
        "kind": case.offence.kind,
        "severity": case.offence.severity,
        "signed": is_proven(case.offence),
        "evidence": case.cid,
        "staked": tokens(staked),
        "slashed": None if amount is None else tokens(amount),
    }

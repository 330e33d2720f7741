"""Offences in the journal become slashes on chain, once each, with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import journal_records
from parity_flwr.app.economy.own_chain import OwnChain
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.chain_bridge.slasher import SlashCase, Slasher, slash_cases
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.canonical import loads
from parity_flwr.core.economy.evidence import Offence
from parity_flwr.core.economy.offences import SlashConfig
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.records import ReputationState, RoundRecord

TOKEN = 10**18
KEY = "11" * 32
BAD = sorted(journal_records.CLIENTS)[0]


@pytest.fixture(scope="module")
def own() -> Iterator[OwnChain]:
    """Return a chain with the contracts; the base penalty is 100 tokens."""
    made = OwnChain(pool=TOKEN, stakes=10_000 * TOKEN, base_penalty=100 * TOKEN)
    with closing(made):
        yield made


def malformed(number: int) -> RoundRecord:
    """Return a round whose first reply was signed and refused."""
    record = journal_records.record(number, ReputationState())
    reply = replace(
        record.facts.replies[0], reason="shape", signature="ab" * 64, public_key=KEY
    )
    facts = replace(record.facts, replies=(reply, *record.facts.replies[1:]))
    return replace(record, facts=facts)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Return an empty store."""
    return DirectoryStore(folder=tmp_path / "content")


def cases(records: Sequence[RoundRecord], members: dict[str, Member]) -> list[SlashCase]:
    """Return what these rounds show of these members."""
    return slash_cases(
        records, members=members, config=SlashConfig(), run_id="run", keys={BAD: KEY}
    )


def test_each_offence_is_slashed_once(own: OwnChain, store: DirectoryStore) -> None:
    member = own.join(stake=1_000 * TOKEN)
    records = [malformed(1), journal_records.record(2, ReputationState()), malformed(3)]
    found = cases(records, {BAD: member})
    for _ in range(2):  # the second time as after a crash, with the same outbox
        Slasher(own.sender.submit, deployment=own.deployment, store=store).slash(found)
    own.sender.settle(timeout_s=60)
    kept = own.identity(member)
    # R = 500 until a round is anchored: the factor is 1.
    assert (kept["stake"], kept["held"]) == (800 * TOKEN, 200 * TOKEN)
    cids = [str(case.cid(store.profile)) for case in found]
    evidence = [loads(store.get(cid, max_bytes=1 << 20), Offence) for cid in cids]
    assert [(each.identity, each.round) for each in evidence] == [(BAD, 1), (BAD, 3)]


def test_what_the_chain_has_is_not_sent_again(own: OwnChain, store: DirectoryStore) -> None:
    member, sent = own.join(stake=TOKEN), list[Intent]()
    found = cases([malformed(1), malformed(3)], {BAD: member})
    before = Intent(key="before", to=own.deployment.registry)
    slasher = Slasher(
        sent.append, deployment=own.deployment, store=store, anchor=lambda case: before
    )
    assert slasher.slash(found, done={bytes(found[0].cid(store.profile))}) == 1
    assert [intent.key for intent in sent] == ["before", f"slash/3/{member.identity.hex()}"]


def test_who_is_not_registered_is_not_slashed() -> None:
    assert cases([malformed(1)], {}) == []

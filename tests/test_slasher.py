"""Offences in the journal become slashes on chain, once each, with their evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

import journal_records
from parity_flwr.app.economy.own_chain import OwnChain
from parity_flwr.chain_bridge.slasher import Slasher
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


def after(records: Sequence[RoundRecord]) -> Callable[[int], Sequence[RoundRecord]]:
    """Return the journal of these rounds."""
    return lambda number: [each for each in records if each.round > number]


def test_each_offence_is_slashed_once(own: OwnChain) -> None:
    member, stored = own.join(stake=1_000 * TOKEN), {}
    records = [malformed(1), journal_records.record(2, ReputationState()), malformed(3)]

    def publish(data: bytes) -> bytes:
        cid = bytes.fromhex("01551220") + hashlib.sha256(data).digest()
        stored[cid] = data
        return cid

    def slasher(members: dict[str, Member]) -> Slasher:
        return Slasher(
            own.sender,
            deployment=own.deployment,
            rounds=after(records),
            members=members,
            publish=publish,
            config=SlashConfig(),
            run_id="run",
            keys={BAD: KEY},
        )

    first = slasher({BAD: member})
    first.refill()
    first.refill()
    slasher({BAD: member}).refill()  # as after a crash
    own.sender.settle(timeout_s=60)
    kept = own.identity(member)
    # R = 500 until a round is anchored: the factor is 1.
    assert (kept["stake"], kept["held"]) == (800 * TOKEN, 200 * TOKEN)
    evidence = [loads(data, Offence) for data in stored.values()]
    assert {(each.identity, each.round) for each in evidence} == {(BAD, 1), (BAD, 3)}


def test_who_is_not_registered_is_not_slashed(own: OwnChain) -> None:
    def refuse(data: bytes) -> bytes:
        raise AssertionError(data)

    Slasher(
        own.sender,
        deployment=own.deployment,
        rounds=after([malformed(1)]),
        members={},
        publish=refuse,
        config=SlashConfig(),
        run_id="run",
        keys={BAD: KEY},
    ).refill()
    assert own.sender.outbox.unsettled(limit=1) == ()

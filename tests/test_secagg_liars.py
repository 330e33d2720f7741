"""A lying client is left out and named; the sum of the others stays exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from numpy.typing import NDArray

from parity_flwr.core.records import Verdict
from parity_flwr.core.secagg import server
from parity_flwr.core.secagg.messages import MaskedInput
from parity_flwr.core.secagg.opening import Opened, open_sum
from parity_flwr.core.secagg.server import Lost
from parity_flwr.core.wire import SECAGG_RECORD
from parity_flwr.strategies import SecureAggregation
from secagg_runs import Bend, plain_round, run
from secagg_sessions import Sum, opened, releases, session, signer, summed, until_masked
from trust_runs import MODEL, ListJournal, numbers

LIAR = 3


def bent(at: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Bend:
    """Return a client that answers one stage with a changed record."""

    def bend(stage: str, reply: Message) -> Sequence[Message]:
        if stage != at or reply.has_error():
            return [reply]
        changed = change(dict(reply.content.config_records[SECAGG_RECORD]))
        records = {**dict(reply.content.items()), SECAGG_RECORD: ConfigRecord(changed)}
        reply.content = RecordDict(records)
        return [reply]

    return bend


def nonsense(record: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(record, b"nonsense!")


NONSENSE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "nonsense": nonsense,
    "nothing": lambda record: {},
    "numbers": lambda record: dict.fromkeys(record, 7),
    "lists": lambda record: {name: [b"x", b"y"] for name in record},
    "cut short": lambda record: {name: value[:-1] for name, value in record.items()},
    "all ones": lambda record: {name: b"\xff" * len(value) for name, value in record.items()},
    "many values": lambda record: {**record, **{str(k): k for k in range(100)}},
}


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("stage", ["advertise", "share", "mask", "confirm", "unmask"])
def test_nonsense_at_any_stage_costs_one_client_at_most(stage: str, name: str) -> None:
    journal = ListJournal()
    result, _ = run(
        SecureAggregation(journal=journal, seed=1),
        clients=7,
        bends={LIAR: bent(stage, NONSENSE[name])},
    )
    (only,) = journal.rounds
    fact = only.facts.replies[LIAR]
    inside = fact.verdict is Verdict.ACCEPTED
    complains_of_nobody = stage == "mask" and name in ("cut short", "all ones")
    assert inside == (stage in ("confirm", "unmask") or complains_of_nobody)
    assert only.note == ""
    members = [k for k in range(7) if inside or k != LIAR]
    expected = plain_round(MODEL, members, addends=7)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[each], expected[each]) for each in MODEL)


@pytest.mark.parametrize(
    "words",
    [
        np.zeros(3, np.uint32),
        np.zeros(17, np.int32),
        np.zeros(17, np.float32),
        np.zeros((1, 17), np.uint32),
    ],
)
def test_masked_vector_of_another_form_is_refused(words: NDArray[Any]) -> None:
    def bend(stage: str, reply: Message) -> Sequence[Message]:
        if stage == "mask":
            reply.content["arrays"] = ArrayRecord({"masked": Array(words)})
        return [reply]

    journal = ListJournal()
    result, _ = run(SecureAggregation(journal=journal, seed=1), clients=7, bends={LIAR: bend})
    fact = journal.rounds[0].facts.replies[LIAR]
    assert fact.verdict is Verdict.QUARANTINED
    assert "array 'masked'" in fact.reason
    expected = plain_round(MODEL, [k for k in range(7) if k != LIAR], addends=7)
    found = numbers(result.arrays)
    assert all(np.array_equal(found[each], expected[each]) for each in MODEL)


def test_two_replies_count_as_none() -> None:
    twice: Bend = lambda stage, reply: [reply, reply]  # noqa: E731
    journal = ListJournal()
    run(SecureAggregation(journal=journal, seed=1), clients=7, bends={LIAR: twice})
    assert journal.rounds[0].facts.replies[LIAR].verdict is Verdict.MISSING


def spoiled(made: Sum, dealer: int, holders: Sequence[int], dealt: server.Dealt) -> None:
    """Let a dealer have sealed garbage for some holders, who then mask."""
    to = dealt.participants.sealed_to(dealer)
    sealed = dict(zip(to, made.deals[dealer].sealed, strict=True))
    sealed |= {each: bytes(len(sealed[each])) for each in holders}
    made.deals[dealer] = replace(made.deals[dealer], sealed=tuple(sealed.values()))


@pytest.mark.parametrize("victims", [1, 2, 4])
def test_dealer_of_garbage_is_left_out(victims: int) -> None:
    """To however many it deals garbage: its vector is dropped and the others' sum is exact."""
    made, dealt = until_masked(absent={"mask": range(100, 110)})
    spoiled(made, 103, dealt.participants.sealed_to(103)[:victims], dealt)
    dealt = replace(dealt, deals=made.deals)
    for each in range(100, 110):
        made.mask(each, dealt.delivery(each))
    outcome, reasons = server.collect_masked(dealt, made.inputs)
    assert isinstance(outcome, server.Summed)
    assert 103 in reasons
    assert len(reasons) == (2 if victims == 1 else 1)  # of a single pair either may lie
    found = opened(made, outcome)
    assert isinstance(found, Opened)
    assert np.array_equal(found.words, made.expected(outcome.survivors))


def test_dealer_of_garbage_and_a_drop_out_at_the_end() -> None:
    """Its key has too few shares left; the pairwise keys of the survivors do instead."""
    made, dealt = until_masked(absent={"mask": range(100, 110)})
    assert dealt.participants.sealed_to(103) == (109, 100, 101, 102)
    spoiled(made, 103, [109, 100, 101, 102], dealt)
    dealt = replace(dealt, deals=made.deals)
    for each in range(100, 110):
        made.mask(each, dealt.delivery(each))
    done = summed(made, dealt)
    found = opened(made, done, absent=[100])
    assert isinstance(found, Opened)
    assert np.array_equal(found.words, made.expected(done.survivors))
    # A survivor that masked with the liar and is gone at the end: nobody knows that mask.
    lost = open_sum(done, {k: r for k, r in releases_again(made, done).items() if k != 106})
    assert isinstance(lost, Lost)
    assert "participant 103's key" in lost.reason


def releases_again(made: Sum, done: server.Summed) -> dict[int, Any]:
    made.signed.clear()
    from parity_flwr.core.secagg.state import Stage

    for each in done.survivors:
        made.states[each] = replace(made.states[each], stage=Stage.MASKED)
    return releases(made, done)


def test_false_complaints_cost_the_one_who_complains() -> None:
    made, dealt = until_masked()
    honest = made.inputs[103]
    others = frozenset(dealt.participants.ids) - {103}
    made.inputs[103] = MaskedInput(honest.words, others)
    outcome, reasons = server.collect_masked(dealt, made.inputs)
    assert isinstance(outcome, server.Summed)
    assert list(reasons) == [103]
    found = opened(made, outcome)
    assert isinstance(found, Opened)
    assert np.array_equal(found.words, made.expected(outcome.survivors))


def test_wrong_shares_are_left_out_and_named() -> None:
    made, dealt = until_masked(absent={"mask": [100]})
    done = summed(made, dealt)
    sent = releases(made, done)
    sent[103] = replace(
        sent[103],
        seeds={each: share ^ 1 for each, share in sent[103].seeds.items()},
        keys={each: share ^ 1 for each, share in sent[103].keys.items()},
    )
    found = open_sum(done, sent)
    assert isinstance(found, Opened)
    assert list(found.wrong) == [103]
    assert np.array_equal(found.words, made.expected(done.survivors))


def test_dealer_whose_shares_are_of_something_else_is_named() -> None:
    made, dealt = until_masked()
    deal = replace(made.deals[103], seed_commitment=bytes(32))
    dealt = replace(dealt, deals={**made.deals, 103: deal})
    done = summed(made, dealt)
    lost = opened(made, done)
    assert isinstance(lost, Lost)
    assert list(lost.culprits) == [103]
    assert "dealt shares of something else" in lost.reason


def test_unsigned_copied_and_weak_keys_are_left_out() -> None:
    made = Sum(session(6))
    made.advertise(range(100, 106))
    keys = dict(made.keys)
    keys[100] = replace(keys[100], signature=bytes(64))
    keys[101] = replace(keys[101], participant=102)
    weak = replace(keys[104], mask_key=bytes(32))
    payload = weak.payload(made.session.digest)
    keys[104] = replace(weak, signature=signer(104).sign(payload))
    copied = replace(keys[105], wrap_key=keys[103].wrap_key)
    payload = copied.payload(made.session.digest)
    keys[105] = replace(copied, signature=signer(105).sign(payload))
    outcome, reasons = server.collect_advertisements(made.session, keys)
    assert isinstance(outcome, Lost)  # two are left
    assert reasons == {
        100: "keys without a valid signature",
        101: "keys without a valid signature",
        104: "keys of small order",
        105: "keys that another participant has",
    }


def test_another_identity_than_the_bound_one_is_left_out() -> None:
    """The first key that signs for an identity is bound to it, as everywhere else."""
    from parity_flwr.clients import SecAggMod, derived_signers
    from secagg_runs import SIGNERS, secagg_app

    other = derived_signers(b"somebody else")
    rounds: list[int] = []

    def changing(context: Any) -> Any:
        late = int(context.node_config["partition-id"]) == LIAR and len(rounds) > 0
        return (other if late else SIGNERS)(context)

    journal = ListJournal()
    app = secagg_app(mod=SecAggMod(changing), on_train=lambda k, r: rounds.append(r))
    run(SecureAggregation(journal=journal, seed=1), clients=7, rounds=2, app=app)
    first, second = (one.facts.replies[LIAR] for one in journal.rounds)
    assert first.verdict is Verdict.ACCEPTED
    assert second.verdict is Verdict.QUARANTINED
    assert "another identity" in second.reason

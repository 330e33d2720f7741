"""Records survive the journal's bytes unchanged, and nothing else is read as a record."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.config import ReputationConfig, TrustConfig
from parity_flwr.core.records import (
    Action,
    Checkpoint,
    EvaluationRecord,
    ReplyDecision,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    RoundStatus,
    RunHeader,
    Standing,
    Verdict,
)
from parity_flwr.errors import JournalError, ParityError

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Leaf:
    number: float
    count: int = 0


@dataclass(frozen=True)
class Everything:
    text: str
    flag: bool
    colour: Colour
    leaf: Leaf
    maybe: Leaf | None
    leaves: tuple[Leaf, ...]
    pair: tuple[int, str]
    table: Mapping[str, float | None]
    plain: Mapping[str, Any] = field(default_factory=dict)


EVERYTHING = Everything(
    text="é\n\x00 \U0001f600",
    flag=True,
    colour=Colour.BLUE,
    leaf=Leaf(0.1, 2),
    maybe=None,
    leaves=(Leaf(-0.0), Leaf(1e-320)),
    pair=(3, "x"),
    table={"z": 1e300, "a": None},
    plain={"deep": ({"list": (1, 2.0, True, None, "s")},)},
)


def round_record(clients: int = 2) -> RoundRecord:
    names = [f"client-{i}" for i in range(clients)]
    facts = tuple(
        ReplyFacts(identity=n, verdict=Verdict.ACCEPTED, norm=0.1 * i, num_examples=i)
        for i, n in enumerate(names)
    )
    decisions = tuple(
        ReplyDecision(identity=n, dimensions=(0.1, 0.2, 0.3, 1 / 3)) for n in names
    )
    standing = Standing(scores=(500.0, 500.0, 1 / 3, 0.1), composite=500.0)
    return RoundRecord(
        round=1,
        base_hash="a" * 64,
        model_hash="b" * 64,
        facts=RoundFacts(
            round=1, replies=facts, actions=(Action(kind="ban", identity="x", reason="é"),)
        ),
        decision=RoundDecision(status=RoundStatus.ACCEPTED, replies=decisions),
        state=ReputationState(standings=dict.fromkeys(names, standing), round=1),
        metrics={"loss": 0.1 + 0.2},
    )


def edited(record: object, edit: Mapping[str, object]) -> bytes:
    plain = json.loads(dumps(record)) | edit
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def test_the_form_is_as_documented() -> None:
    assert dumps(Leaf(1.0, 2)) == b'{"count":2,"number":1.0}'
    assert dumps((1, True, None, -0.0, 1e16, "é")) == b'[1,true,null,-0.0,1e+16,"\\u00e9"]'


@pytest.mark.parametrize(
    "record",
    [
        EVERYTHING,
        round_record(),
        round_record(0),
        EvaluationRecord(round=0, source="server", metrics={"accuracy": 1.0}),
        TrustConfig(),
        RunHeader(
            strategy="Reputation",
            inner="FedAvg",
            config=json.loads(dumps(TrustConfig()), parse_float=float),
            num_rounds=3,
            seed=None,
            model_hash="c" * 64,
            sketch_commitment="d" * 64,
        ),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_comes_back_equal_and_typed(record: Any) -> None:
    back = loads(dumps(record), type(record))
    assert dumps(back) == dumps(record)
    assert type(back) is type(record)
    assert loads(dumps(record).decode(), type(record)) == back
    if not isinstance(record, RunHeader):  # lists in its plain data come back as tuples
        assert back == record


@given(FLOATS)
def test_a_float_comes_back_bit_for_bit(number: float) -> None:
    back = loads(dumps(Leaf(number)), Leaf).number
    assert struct.pack("<d", back) == struct.pack("<d", number)


def test_minus_zero_and_float_subclasses_keep_their_bits() -> None:
    assert math.copysign(1, loads(dumps(Leaf(-0.0)), Leaf).number) == -1
    assert dumps(Leaf(np.float64(0.1))) == dumps(Leaf(0.1))


def test_an_int_in_a_field_of_floats_is_written_as_a_float() -> None:
    assert dumps(Leaf(3)) == b'{"count":0,"number":3.0}'
    with pytest.raises(JournalError, match="a finite float"):
        dumps(Leaf((1 << 53) + 1))


@given(
    st.dictionaries(TEXTS, st.one_of(TEXTS, FLOATS, st.integers(-(2**64), 2**64), st.none()))
)
def test_plain_mappings_round_trip(table: dict[str, Any]) -> None:
    record = Everything(**{**vars(EVERYTHING), "plain": table})
    assert loads(dumps(record), Everything) == record


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_a_mapping_leaves_no_trace(order: int) -> None:
    table = dict([("a", 1.0), ("b", 2.0), ("é", 3.0)][::order])
    assert dumps(table) == b'{"a":1.0,"b":2.0,"\\u00e9":3.0}'


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("text", 1),
        ("text", "\ud800"),
        ("flag", 1),
        ("flag", "true"),
        ("colour", "red"),
        ("leaf", None),
        ("leaf", {"number": 1.0, "count": 0}),
        ("maybe", 0),
        ("leaves", [Leaf(1.0)]),
        ("leaves", (None,)),
        ("pair", (1,)),
        ("pair", (True, "x")),
        ("pair", (1.0, "x")),
        ("table", {1: 1.0}),
        ("table", {"a": float("nan")}),
        ("table", {"a": float("inf")}),
        ("table", {"a": True}),
        ("table", {"\udfff": 1.0}),
        ("plain", {"a": float("-inf")}),
        ("plain", {"a": b"bytes"}),
        ("plain", {"a": {1}}),
        ("plain", {"a": np.int64(1)}),
        ("plain", {"a": 1 << 300}),
    ],
)
def test_what_is_not_of_its_type_is_not_written(field_name: str, value: object) -> None:
    record = Everything(**{**vars(EVERYTHING), field_name: value})
    with pytest.raises(JournalError, match=f"to write Everything.{field_name}") as caught:
        dumps(record)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        ({"text": None}, "Everything.text"),
        ({"flag": 0}, "Everything.flag"),
        ({"colour": "green"}, "one of red, blue"),
        ({"colour": ["red"]}, "Everything.colour"),
        ({"leaf": {"number": 1, "count": 0}}, "Everything.leaf.number"),
        ({"leaf": {"number": 1.0, "count": 0.0}}, "Everything.leaf.count"),
        ({"leaf": {"number": 1.0, "count": True}}, "Everything.leaf.count"),
        ({"leaf": {"number": 1.0}}, "none named 'count'"),
        ({"leaf": []}, "a dict"),
        ({"leaves": [{"number": 1.0, "count": 0}, 7]}, "Everything.leaves.1"),
        ({"pair": [1, "x", 2]}, "2 items"),
        ({"table": {"a": "1.0"}}, "Everything.table.a"),
        ({"table": []}, "Everything.table"),
        ({"unknown": 1}, "an unknown 'unknown'"),
        ({"text": "\ud800"}, "UTF-8"),
    ],
)
def test_what_is_not_of_its_type_is_not_read(edit: dict[str, object], complaint: str) -> None:
    with pytest.raises(JournalError, match=complaint):
        loads(edited(EVERYTHING, edit), Everything)


@pytest.mark.parametrize("name", [f.name for f in fields(ReplyFacts)])
def test_no_field_may_be_missing_even_one_with_a_default(name: str) -> None:
    plain = json.loads(dumps(ReplyFacts(identity="a", verdict=Verdict.ACCEPTED)))
    del plain[name]
    with pytest.raises(JournalError, match=f"none named '{name}'"):
        loads(json.dumps(plain, sort_keys=True, separators=(",", ":")), ReplyFacts)


def test_a_range_checked_by_the_class_is_a_corrupt_journal() -> None:
    with pytest.raises(JournalError, match="initial needs a number from 0 to 1000"):
        loads(edited(ReputationConfig(), {"initial": 2000.0}), ReputationConfig)


def test_types_that_records_do_not_hold_are_refused() -> None:
    with pytest.raises(JournalError, match="a type that a record can hold"):
        dumps(Checkpoint(round=1, model={}))


def test_an_error_stays_short_whatever_came() -> None:
    with pytest.raises(JournalError) as caught:
        loads(edited(Leaf(1.0), {"\n" * 10_000: ["x" * 10_000]}), Leaf)
    assert len(str(caught.value)) < 400


@given(st.binary(max_size=60))
def test_noise_raises_nothing_but_our_errors(data: bytes) -> None:
    with pytest.raises(ParityError):
        loads(data, Everything)


@given(st.data())
def test_one_changed_byte_never_reads_as_the_same_record(data: st.DataObject) -> None:
    whole = dumps(EVERYTHING)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    try:
        changed = loads(whole[:at] + bytes([byte]) + whole[at + 1 :], Everything)
    except ParityError:
        return
    assert dumps(changed) != whole

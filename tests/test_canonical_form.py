"""Only the canonical bytes of a record are read, within limits of size and depth."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from parity_flwr.core.canonical import dumps, loads
from parity_flwr.errors import JournalError


@dataclass(frozen=True)
class Leaf:
    number: float
    count: int = 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"count": 2,"number":1.0}',
        b'{"number":1.0,"count":2}',
        b'{"count":2,"count":2,"number":1.0}',
        b'{"count":2,"number":1.00}',
        b'{"count":2,"number":1e0}',
        b'{"count":2,"number":NaN}',
        b'{"count":2,"number":Infinity}',
        b'{"count":2,"number":1e999}',
        b'{"count":-0,"number":1.0}',
        b'{"count":' + b"9" * 5000 + b',"number":1.0}',
        b'{"count":2,"number":1.0}\n',
        b'\xef\xbb\xbf{"count":2,"number":1.0}',
        '{"count":2,"number":1.0,"é":1}'.encode(),
        b"[" * 100_000,
        b"[" * 500 + b"]" * 500,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_only_the_canonical_form_is_read(data: bytes) -> None:
    with pytest.raises(JournalError):
        loads(data, Leaf)


def test_plain_data_may_not_nest_without_end() -> None:
    cycle: dict[str, object] = {}
    cycle["again"] = cycle
    with pytest.raises(JournalError, match="at most 32 levels"):
        dumps(cycle)
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    with pytest.raises(JournalError, match="at most 32 levels"):
        loads(deep, dict)


def test_an_entry_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity_flwr.core.canonical.MAX_BYTES", 30)
    assert loads(dumps(Leaf(1.0)), Leaf) == Leaf(1.0)
    with pytest.raises(JournalError, match="at most 30 bytes; got 31 bytes"):
        loads(b"x" * 31, Leaf)
    with pytest.raises(JournalError, match="at most 30 bytes"):
        dumps("x" * 31)

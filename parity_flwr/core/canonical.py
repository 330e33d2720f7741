"""Records as canonical JSON, and the hash that chains a journal's entries.

One record has one form only: sorted keys, no spaces, ASCII, floats with their shortest
exact digits (always with a "." or an exponent), no NaN and no infinity. So the hash of the
bytes is a hash of the record, and a float comes back bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

from parity_flwr.core.codec import Codec, codec_for
from parity_flwr.core.integrity import length_prefixed
from parity_flwr.core.scalars import MismatchError, brief
from parity_flwr.errors import JournalError

Record = TypeVar("Record")

MAX_BYTES = 256 << 20
"""No entry is larger; a round with 100 000 clients has about 100 MiB."""

_CHAIN = b"parity-flwr/journal/v1"


def dumps(obj: object) -> bytes:
    """Return the canonical JSON of a record, a mapping, a tuple or a plain value.

    An int in a field of floats is written as the float that equals it.

    Raises
    ------
    JournalError
        If a value is not of its field's type, is NaN or infinite, or is of a type that
        records do not hold.

    Examples
    --------
    >>> dumps({"b": 1.0, "a": (True, None)})
    b'{"a":[true,null],"b":1.0}'
    """
    try:
        data = _canonical(_codec(type(obj)).write(obj))
        _check_size(len(data))
    except MismatchError as error:
        raise _journal_error("write", type(obj), error) from None
    return data


def loads(data: bytes | str, cls: type[Record]) -> Record:
    """Return the record of type `cls` that :func:`dumps` wrote as `data`.

    Raises
    ------
    JournalError
        If the data is not canonical JSON, too large or too deep, or if a field is missing,
        unknown, of another type or out of its range.

    Examples
    --------
    >>> from parity_flwr.core.records import EvaluationRecord
    >>> record = EvaluationRecord(round=1, source="server", metrics={"loss": 0.5})
    >>> loads(dumps(record), EvaluationRecord) == record
    True
    """
    try:
        return cast(Record, _codec(cls).read(_parse(data)))
    except MismatchError as error:
        raise _journal_error("read", cls, error) from None


def chain_hash(previous: bytes | str, kind: str, body: bytes) -> str:
    """Return the hash of a journal entry, as hex: it covers all entries before it.

    Parameters
    ----------
    previous : bytes or str
        The previous entry's hash, raw or as hex; empty for the first entry.
    kind : str
        What the entry is, such as "round".
    body : bytes
        The entry's canonical JSON.

    Raises
    ------
    JournalError
        If `previous` is not a SHA-256 digest.
    """
    try:
        link = bytes.fromhex(previous) if isinstance(previous, str) else previous
    except ValueError:
        link = b"no digest"
    if len(link) not in (0, 32):
        raise JournalError(
            "a journal entry needs the previous entry's SHA-256 hash",
            came=brief(previous),
            action="restore the journal from a backup",
        )
    return hashlib.sha256(
        length_prefixed(_CHAIN, link, kind.encode("utf-8", "backslashreplace"), body)
    ).hexdigest()


def _codec(cls: type) -> Codec:
    return codec_for(cls if is_dataclass(cls) else Any)


def _canonical(plain: object) -> bytes:
    return json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def _parse(data: bytes | str) -> object:
    _check_size(len(data))
    try:
        raw = data.encode("ascii") if isinstance(data, str) else data
        plain = json.loads(raw.decode("ascii"))
        same = _canonical(plain) == raw
    except (ValueError, RecursionError) as error:
        raise MismatchError("canonical JSON", data, came=ascii(str(error))[:80]) from None
    # What differs from its own canonical form had spaces, a repeated key or odd digits.
    if not same:
        raise MismatchError("canonical JSON", data, came="another form of it")
    return plain


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise MismatchError(f"at most {MAX_BYTES} bytes", None, came=f"{size} bytes")


def _journal_error(verb: str, cls: type, error: MismatchError) -> JournalError:
    place = ascii(".".join((cls.__name__, *error.path)))[1:-1][:120]
    return JournalError(
        f"to {verb} {place} the journal needs {error.needed}",
        came=error.came,
        action="correct the value" if verb == "write" else "restore the journal from a backup",
    )

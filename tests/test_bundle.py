"""A bundle verifies offline; any changed bit is found where it is."""

from __future__ import annotations

import hashlib
import os
import random
import re
from pathlib import Path

import pytest

from bundled_runs import failures, opened, published_run, sealed, sections
from parity_flwr.app.bundle.layout import CHUNK_BYTES, HEADER_BYTES, Contents, Section
from parity_flwr.app.bundle.sealed import inspect
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.checks import Line
from parity_flwr.core.canonical import dumps
from parity_flwr.errors import ConfigError, DataError

NAMES = [
    "bundle",
    "hash chain",
    "decisions",
    "model chain",
    "actions",
    "model",
    "signatures",
    "sketch seed",
    "privacy ledger",
    "published rounds",
    "trust anchor",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a run of three published rounds, not to be changed."""
    return published_run(tmp_path_factory.mktemp("template") / "run")[0]


@pytest.fixture(scope="module")
def whole(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return its bundle, not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "run.parity"
    bundle_run(run, path)
    return path


def places(detail: str) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in re.findall(r"\(bytes (\d+) to (\d+)\)", detail)]


def test_a_bundle_is_self_consistent_and_not_anchored(whole: Path) -> None:
    found = verify_bundle(whole)
    assert found.ok
    assert not found.anchored
    assert [line.name for line in found.lines] == NAMES
    assert found.lines[-1] == Line("trust anchor", None, "self-consistent, not anchored")
    assert {line.name for line in found.lines if line.ok is None} == {
        "signatures",
        "privacy ledger",
        "trust anchor",
    }


def test_one_run_has_one_bundle(run: RunFolder, whole: Path, tmp_path: Path) -> None:
    bundle_run(run, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == whole.read_bytes()


def test_a_thousand_flipped_bits_are_found_where_they_are(whole: Path, tmp_path: Path) -> None:
    raw, rng, target = whole.read_bytes(), random.Random(20261120), tmp_path / "flipped"
    frame = 8 * (opened(whole).start + 200)
    bits = [rng.randrange(8 * len(raw)) for _ in range(900)]
    bits += [rng.randrange(frame) for _ in range(100)]  # header and table, which are small
    for bit in bits:
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        target.write_bytes(flipped)
        found = verify_bundle(target, trust=None)
        (line,) = found.lines
        assert (line.name, line.ok, found.anchored) == ("bundle", False, False)
        ((start, stop),) = places(line.detail)
        assert start <= bit // 8 <= stop
        assert stop - start < max(CHUNK_BYTES, frame // 8)


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.002, 0.01, 0.5, 0.99, 0.9999])
def test_a_truncated_bundle_is_found(whole: Path, tmp_path: Path, share: float) -> None:
    raw = whole.read_bytes()
    (tmp_path / "short").write_bytes(raw[: int(share * len(raw))])
    assert "is not what was sealed" in failures(tmp_path / "short")["bundle"]


def test_appended_bytes_are_found(whole: Path, tmp_path: Path) -> None:
    raw = whole.read_bytes()
    (tmp_path / "long").write_bytes(raw + b"\0")
    ((start, stop),) = places(failures(tmp_path / "long")["bundle"])
    assert (start, stop) == (len(raw), len(raw))


def test_swapped_bytes_of_two_sections_are_found(whole: Path, tmp_path: Path) -> None:
    bundle, raw = opened(whole), whole.read_bytes()
    head, rest, parts = raw[: bundle.start], raw[bundle.start :], []
    for section in bundle.contents.sections:
        parts.append(rest[: section.size])
        rest = rest[section.size :]
    parts[0], parts[-1] = parts[-1], parts[0]
    (tmp_path / "swapped").write_bytes(head + b"".join(parts))
    assert "section journal" in failures(tmp_path / "swapped")["bundle"]


def test_reordered_sections_are_refused_even_when_sealed(whole: Path, tmp_path: Path) -> None:
    bundle, parts = opened(whole), sections(whole)
    backwards = list(reversed(bundle.contents.sections))
    plain = dumps(Contents(run_id="run", sections=())).replace(
        b"[]", dumps(tuple(backwards)).replace(b" ", b"")
    )
    body = b"".join(parts[section.name] for section in backwards)
    (tmp_path / "x").write_bytes(frame_of(plain) + body)
    assert "sections that ascend by name" in failures(tmp_path / "x")["bundle"]


def frame_of(table: bytes) -> bytes:
    head = b"parity-bundle-v1" + len(table).to_bytes(8, "big") + hashlib.sha256(table).digest()
    return head + hashlib.sha256(head).digest() + table


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"run_id":"run","sections":[]} ',
        b'{"run_id":"../run","sections":[]}',
        b'{"run_id":"run","sections":[{"chunks":[],"name":"../x","size":0}]}',
        b'{"run_id":"run","sections":[{"chunks":[],"name":"model","size":1}]}',
        b'{"run_id":"run","sections":[{"chunks":[],"name":"model","size":-1}]}',
        b'{"run_id":"run","sections":[{"chunks":["\xff"],"name":"model","size":1}]}',
        b'{"run_id":"run","sections":[{"chunks":[],"name":"model","size":' + b"9" * 70 + b"}]}",
    ],
    ids=range(10),
)
def test_a_hostile_table_is_one_failed_line(table: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(frame_of(table))
    failed = failures(tmp_path / "x")
    assert list(failed) == ["bundle"]
    assert "the table of contents" in failed["bundle"]
    assert "\n" not in failed["bundle"]


def test_a_table_that_claims_terabytes_costs_nothing(tmp_path: Path) -> None:
    head = b"parity-bundle-v1" + (1 << 60).to_bytes(8, "big") + bytes(32)
    (tmp_path / "x").write_bytes(head + hashlib.sha256(head).digest())
    assert "the table of contents" in failures(tmp_path / "x")["bundle"]


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"\0",
        (5).to_bytes(8, "big") + b"rou",
        (1 << 62).to_bytes(8, "big"),
        b"".join(len(x).to_bytes(8, "big") + x for x in (b"round", b"\xff", bytes(32))),
        b"".join(len(x).to_bytes(8, "big") + x for x in (b"round", b"{}", bytes(31))),
        b"".join(len(x).to_bytes(8, "big") + x for x in (b"round", b"{}", bytes(32))),
        b"".join(len(x).to_bytes(8, "big") + x for x in (b"nothing", b"{}", bytes(32))),
    ],
    ids=range(8),
)
def test_a_hostile_journal_is_failed_lines(journal: bytes, tmp_path: Path) -> None:
    path = sealed(tmp_path / "x", {"journal": journal})
    found = verify_bundle(path)
    assert not found.ok
    assert all("\n" not in line.detail for line in found.lines)


def test_a_bundle_without_a_journal_does_not_hold(tmp_path: Path) -> None:
    assert failures(sealed(tmp_path / "x", {})) == {"entries": "the journal has none"}


def test_a_bundle_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing", "pipe", "."):
        with pytest.raises(DataError, match="a file that can be read"):
            inspect(tmp_path / name)


def test_the_header_has_the_size_that_it_says() -> None:
    assert len(frame_of(b"")) == HEADER_BYTES
    with pytest.raises(ConfigError, match="a bundle needs"):
        Contents(run_id="run", sections=(Section(name="model", size=0, chunks=()),) * 2)

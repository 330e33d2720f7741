"""What is in a bundle is compared with its journal, and with what is trusted."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from bundled_runs import failures, opened, published_run, sealed, sections
from journal_records import SECRET, finished, header, journal_in
from journal_tampering import execute
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.trust import Trust
from parity_flwr.errors import ConfigError, ContentError, JournalError
from test_verify_updates import played


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


def test_a_forged_entry_breaks_the_chain(whole: Path, tmp_path: Path) -> None:
    parts = sections(whole)
    parts["journal"] = parts["journal"].replace(b'"weight":0.', b'"weight":1.', 1)
    failed = failures(sealed(tmp_path / "x", parts))
    assert "is not what was hashed" in failed["hash chain"]


def test_another_model_is_named(whole: Path, tmp_path: Path) -> None:
    parts = sections(whole)
    parts["model"] = parts["model"][:-1] + b"\x01"
    failed = failures(sealed(tmp_path / "x", parts))
    assert "round 3 left" in failed["model"]
    assert "CID" in failed["published rounds"]
    del parts["model"]
    failed = failures(sealed(tmp_path / "x", parts))
    assert "none" in failed["model"]


def test_a_rewritten_run_is_consistent_until_there_is_an_anchor(
    whole: Path, tmp_path: Path
) -> None:
    bundle_run(finished(tmp_path / "run", num_rounds=2), tmp_path / "other")
    assert verify_bundle(tmp_path / "other").ok
    trusted = Trust.parse(opened(whole).root)
    found = verify_bundle(tmp_path / "other", trust=trusted)
    assert not found.ok
    assert not found.anchored
    assert f"{trusted.value[:16]} is trusted, the bundle's root is" in found.lines[-1].detail


def test_root_head_and_the_last_cid_anchor(run: RunFolder, tmp_path: Path) -> None:
    made = bundle_run(run, tmp_path / "x")
    from parity_flwr.app.runs.publications import FolderPublications

    last = FolderPublications(run.publications).published(3)
    assert last is not None
    for trust in (made.head, "0x" + made.bundle.root.upper(), last.record):
        found = verify_bundle(tmp_path / "x", trust=Trust.parse(trust))
        assert found.ok
        assert found.anchored
    earlier = FolderPublications(run.publications).published(2)
    assert earlier is not None
    assert not verify_bundle(tmp_path / "x", trust=Trust.parse(earlier.record)).ok


def test_an_address_needs_a_chain_to_ask(run: RunFolder, tmp_path: Path) -> None:
    bundle_run(run, tmp_path / "x")
    address = Trust.parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    with pytest.raises(ConfigError, match="needs a chain"):
        verify_bundle(tmp_path / "x", trust=address)
    with pytest.raises(ConfigError, match="published to a chain"):
        verify_bundle(tmp_path / "x", trust=address, url="http://127.0.0.1:9")
    bundle_run(run, tmp_path / "x", records={"evidence": b"{}"})
    with pytest.raises(ContentError, match="section chain/evidence needs"):
        verify_bundle(tmp_path / "x")


def test_updates_travel_when_asked_and_are_measured_again(tmp_path: Path) -> None:
    run = played(tmp_path / "run")
    bundle_run(run, tmp_path / "without")
    assert not [name for name in opened(tmp_path / "without").names if "updates" in name]
    bundle_run(run, tmp_path / "with", updates=True)
    found = {line.name: line for line in verify_bundle(tmp_path / "with").lines}
    assert found["updates"].ok
    parts = sections(tmp_path / "with")
    name = next(name for name in parts if re.fullmatch(r"updates/00002/[0-9a-f]{64}", name))
    parts[name] = parts[name.replace("00002", "00001")]
    assert "updates/00002/" in failures(sealed(tmp_path / "x", parts))["updates"]
    del parts[name]
    assert "none" in failures(sealed(tmp_path / "x", parts))["updates"]


def test_no_secret_of_an_unfinished_run_is_in_its_bundle(tmp_path: Path) -> None:
    from journal_records import play

    play(journal_in(tmp_path / "run"), 2)
    bundle_run(RunFolder(tmp_path / "run"), tmp_path / "x")
    assert verify_bundle(tmp_path / "x").ok
    raw = (tmp_path / "x").read_bytes()
    assert SECRET not in raw
    assert SECRET.hex().encode() not in raw


def test_a_run_without_rounds_can_be_bundled(tmp_path: Path) -> None:
    journal_in(tmp_path / "run").begin(header())
    made = bundle_run(RunFolder(tmp_path / "run"), tmp_path / "x")
    assert (made.rounds, made.published) == (0, 0)
    assert verify_bundle(tmp_path / "x").ok


def test_a_broken_journal_is_not_bundled(tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    execute(run, "DELETE FROM entries WHERE sequence = 4")
    with pytest.raises(JournalError, match="a journal that is one chain"):
        bundle_run(run, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_lost_content_is_named_and_not_bundled(tmp_path: Path) -> None:
    run, published = published_run(tmp_path / "run")
    (block,) = run.content.glob(f"*/{published[1].scores}")
    block.unlink()
    with pytest.raises(ContentError, match=published[1].scores):
        bundle_run(run, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("text", ["", "x", "0x12", "ab" * 31, "Qm"])
def test_what_cannot_be_trusted_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--trust needs"):
        Trust.parse(text)


def test_flipped_bits_are_found_even_when_everything_is_sealed_again(
    whole: Path, tmp_path: Path
) -> None:
    parts, rng = sections(whole), random.Random(3)
    for name in sorted(parts) * 8:
        data = bytearray(parts[name])
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        path = sealed(tmp_path / "x", {**parts, name: bytes(data)})
        found = verify_bundle(path)
        assert not found.ok, (name, bit)
        assert all("\n" not in line.detail for line in found.lines)


@pytest.mark.parametrize("name", ["journal", "model", "published/00002/scores"])
def test_a_section_that_is_left_out_is_noticed(whole: Path, tmp_path: Path, name: str) -> None:
    parts = sections(whole)
    del parts[name]
    assert not verify_bundle(sealed(tmp_path / "x", parts)).ok

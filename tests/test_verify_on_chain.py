"""`parity verify` of a run on a chain: each line holds, and fails when it is tampered with."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from apps_made import make_app
from parity_flwr.app.bundle.chain_section import NAME, encode_evidence
from parity_flwr.app.bundle.verifying import verify_bundle
from parity_flwr.app.bundle.writing import bundle_run
from parity_flwr.app.chains import evidence as evidences
from parity_flwr.app.chains.evidence import ChainEvidence, run_evidence
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.terms import read_terms, write_terms
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.app.verification.onchain import RecordedRounds, RegisteredMembers
from parity_flwr.app.verification.published import FolderPublished
from parity_flwr.app.verification.trust import Trust
from parity_flwr.app.verification.verify import verify
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.cli.main import execute
from parity_flwr.core.abi import keccak256
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.errors import ChainError, ConfigError

pytest.importorskip("eth")

CHAIN_LINES = ("published models", "chain record", "members", "outbox")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a run of two rounds on the embedded chain, whose clients sign."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARITY_HOME", str(home))
        app = make_app(home / "app")
        options = ["--engine", "inprocess", "--clients", "4", "--chain", "embedded", "--quiet"]
        assert execute(["run", str(app), *options]) == 0
    return home


@pytest.fixture
def run(played: Path, tmp_path: Path) -> RunFolder:
    """Return a copy of the run, to be tampered with."""
    (found,) = all_runs(played)
    shutil.copytree(found.path, tmp_path / "runs" / found.id)
    return RunFolder(tmp_path / "runs" / found.id)


def lines_of(run: RunFolder) -> dict[str, tuple[bool | None, str]]:
    """Return what came of each check."""
    return {line.name: (line.ok, line.detail) for line in verify(run).lines}


def test_all_lines_hold(run: RunFolder) -> None:
    found = lines_of(run)
    assert all(found[name][0] for name in CHAIN_LINES), found
    assert found["chain record"][1] == "2 rounds on the embedded chain equal the journal"
    assert found["members"][1].startswith("4 are registered")
    assert found["trust anchor"] == (None, "self-consistent, not anchored")
    assert verify(run).ok


def sql(run: RunFolder, statement: str) -> None:
    with closing(sqlite3.connect(run.database)) as connection, connection:
        connection.execute(statement)


def another_pool(run: RunFolder) -> None:
    places = ChainPlaces(run.path)
    terms = read_terms(places)
    assert terms is not None
    write_terms(places, replace(terms, rewards=RewardConfig(pool=7)))


def another_deadline(run: RunFolder) -> None:
    places = ChainPlaces(run.path)
    terms = read_terms(places)
    assert terms is not None
    write_terms(places, replace(terms, deadlines=dict.fromkeys(terms.deadlines, 1)))


def lost_model(run: RunFolder) -> None:
    log = json.loads((run.publications / "round-00001.json").read_bytes())
    (block,) = run.content.glob(f"*/{log['model']}")
    block.unlink()


def swapped_publications(run: RunFolder) -> None:
    first, second = (run.publications / f"round-0000{k}.json" for k in (1, 2))
    one, other = json.loads(first.read_bytes()), json.loads(second.read_bytes())
    second.write_text(
        json.dumps({**other, "scores": one["scores"]}, sort_keys=True, separators=(",", ":"))
    )


@pytest.mark.parametrize(
    ("tamper", "line", "message"),
    [
        (another_pool, "chain record", "round 1: the scores say"),
        (another_deadline, "members", "did not consent with its node key"),
        (lost_model, "published models", "round 1:"),
        (swapped_publications, "published rounds", "round 2: the scores are not"),
        (swapped_publications, "chain record", "round 2: the scores say"),
        (
            lambda run: sql(run, "UPDATE outbox SET state = 'mined' WHERE round = 2"),
            "outbox",
            "round/2 is mined",
        ),
        (
            lambda run: sql(
                run,
                "UPDATE outbox SET tx_hash = (SELECT tx_hash FROM outbox WHERE round = 1) "
                "WHERE round = 2",
            ),
            "outbox",
            "round/2 is not the transaction",
        ),
    ],
)
def test_what_is_tampered_with_is_named(
    run: RunFolder, tamper: Callable[[RunFolder], None], line: str, message: str
) -> None:
    tamper(run)
    ok, detail = lines_of(run)[line]
    assert ok is False
    assert message in detail


def test_a_changed_chain_is_not_believed(run: RunFolder) -> None:
    path = ChainPlaces(run.path).embedded / "chain.log"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ChainError, match="as it was written"):
        verify(run)
    path.unlink()
    # The deployment's note alone says that there was a chain.
    assert lines_of(run)["chain record"][0] is None


def test_another_ledger_is_not_believed(run: RunFolder) -> None:
    places = ChainPlaces(run.path)
    made = places.only()
    assert made is not None
    places.save(replace(made, ledger=made.registry))
    assert lines_of(run)["chain record"][0] is False
    places.save(replace(made, ledger=made.token))
    with pytest.raises(ChainError):
        verify(run)


def forged(
    evidence: ChainEvidence, event: str, change: Callable[[bytes], bytes]
) -> ChainEvidence:
    """Return the evidence with the data of the first such event changed."""
    contract = "RoundLedger" if event == "RoundRecorded" else "ReputationRegistry"
    inputs = artifact(contract).entry("event", event)["inputs"]
    topic = keccak256(f"{event}({','.join(each['type'] for each in inputs)})".encode())
    logs: list[ChainLog] = []
    done = False
    for log in evidence.logs:
        mine = log.topics[0] == topic and not done
        done = done or mine
        logs.append(replace(log, data=change(log.data)) if mine else log)
    assert done
    return replace(evidence, logs=tuple(logs))


def flip(place: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


def judged(run: RunFolder, evidence: ChainEvidence) -> str:
    """Return what is wrong with this evidence."""
    rounds = RecordedRounds(evidence, FolderPublished(run))
    members = RegisteredMembers(evidence, rounds)
    for entry in open_journal(run).entries():
        rounds.see(entry, entry.record)
    lines = (rounds.line(), members.line())
    return "; ".join(line.detail for line in lines if line.ok is False)


# Words of the event's data: previous, modelHash, rewardRoot, total, activeAt, then the CIDs.
@pytest.mark.parametrize(
    ("word", "name"),
    [(0, "previous"), (1, "modelHash"), (2, "rewardRoot"), (3, "total"), (4, "its state")],
)
def test_every_field_of_a_record_counts(run: RunFolder, word: int, name: str) -> None:
    evidence = run_evidence(run.path, url=None)
    assert evidence is not None
    assert judged(run, evidence) == ""
    found = judged(run, forged(evidence, "RoundRecorded", flip(32 * word + 31)))
    assert name in found


def test_cids_and_missing_rounds_count(run: RunFolder) -> None:
    evidence = run_evidence(run.path, url=None)
    assert evidence is not None
    # Seven words, then length and two words of each CID.
    for place, name in ((32 * 8 + 10, "modelCid"), (32 * 11 + 10, "scoresCid")):
        assert name in judged(run, forged(evidence, "RoundRecorded", flip(place)))
    recorded = {log.tx_hash for log, _ in evidence.events("RoundLedger", "RoundRecorded")}
    without = [log for log in evidence.logs if log.tx_hash not in recorded]
    assert "it is not on chain" in judged(run, replace(evidence, logs=tuple(without)))
    twice = replace(evidence, logs=evidence.logs * 2)
    assert "is on chain twice" in judged(run, twice)


def test_a_member_that_did_not_consent_is_named(run: RunFolder) -> None:
    evidence = run_evidence(run.path, url=None)
    assert evidence is not None
    assert "did not consent" in judged(run, forged(evidence, "Registered", flip(70)))
    registered = {log.tx_hash for log, _ in evidence.events("ReputationRegistry", "Registered")}
    without = tuple(log for log in evidence.logs if log.tx_hash not in registered)
    assert "is not registered" in judged(run, replace(evidence, logs=without))


def test_a_bundle_carries_the_chain_record(run: RunFolder, tmp_path: Path) -> None:
    evidence = run_evidence(run.path, url=None)
    assert evidence is not None
    bundle_run(run, tmp_path / "x", records={NAME: encode_evidence(evidence)})
    found = verify_bundle(tmp_path / "x")
    lines = {line.name: line for line in found.lines}
    assert lines["chain record"].ok
    assert lines["members"].ok
    assert (found.ok, found.anchored) == (True, False)
    assert lines["trust anchor"].detail == "self-consistent, not anchored"
    bad = forged(evidence, "RoundRecorded", flip(32 * 3 + 31))
    bundle_run(run, tmp_path / "y", records={NAME: encode_evidence(bad)})
    assert not verify_bundle(tmp_path / "y").ok


def test_an_address_is_no_anchor_on_a_chain_of_ones_own(run: RunFolder) -> None:
    made = ChainPlaces(run.path).only()
    assert made is not None
    last = verify(run, trust=Trust.parse(made.ledger)).lines[-1]
    assert last.ok is None
    assert "not anchored" in last.detail
    other = verify(run, trust=Trust.parse(made.token)).lines[-1]
    assert other.ok is False
    with pytest.raises(ConfigError, match="published to a node"):
        verify(run, url="http://127.0.0.1:9")


def test_a_node_that_says_so_is_an_anchor(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same contracts behind a URL: the events come from the copy of the chain.
    evidence = run_evidence(run.path, url=None)
    assert evidence is not None
    shutil.rmtree(ChainPlaces(run.path).embedded)
    asked = replace(evidence, asked=True, where="the chain 1")
    monkeypatch.setattr(evidences, "asked_evidence", lambda *_: asked)
    address = Trust.parse(evidence.deployment.ledger)
    last = verify(run, url="http://node", trust=address).lines[-1]
    assert last.ok
    assert verify(run, url="http://node").lines[-1].ok is None

"""Rewriting the whole chain does not help: what was decided does not come out again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from journal_records import (
    CONFIG,
    checkpoint,
    finished,
    header,
    journal_in,
    model_of,
    record,
)
from journal_tampering import edit, failures
from parity_flwr.app.runs.checkpoint import write_model
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.verification.verify import verify
from parity_flwr.core.records import ReputationState, RoundFacts, Verdict
from parity_flwr.core.reputation import newcomer
from parity_flwr.core.rounds import decide
from parity_flwr.core.signatures import Ed25519Signer, update_payload


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a completed run of three rounds with a ban, not to be changed."""
    return finished(tmp_path_factory.mktemp("template") / "run")


@pytest.fixture
def run(template: RunFolder, tmp_path: Path) -> RunFolder:
    """Return a copy of the template, to be changed."""
    shutil.copytree(template.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_a_forged_weight_does_not_come_out_again(run: RunFolder) -> None:
    def forge(body: dict[str, Any]) -> None:
        body["decision"]["replies"][1]["weight"] = 0.9

    edit(run, "round", forge)
    failed = failures(verify(run))
    assert "hash chain" not in failed
    assert "round 3: decision.replies[1].weight is 0.9, replaying" in failed["decisions"]


def test_a_forged_reputation_does_not_come_out_again(run: RunFolder) -> None:
    def forge(body: dict[str, Any]) -> None:
        body["state"]["standings"]["carol"]["composite"] = 1000.0

    edit(run, "round", forge)
    failed = failures(verify(run))
    assert "state.standings.carol.composite is 1000.0" in failed["decisions"]


def test_a_forged_fact_changes_what_was_decided(run: RunFolder) -> None:
    def forge(body: dict[str, Any]) -> None:
        body["facts"]["replies"][3]["norm"] = 0.0  # a free rider

    edit(run, "round", forge)
    assert "round 3" in failures(verify(run))["decisions"]


def test_a_forged_model_breaks_the_chain_of_models_and_the_files(run: RunFolder) -> None:
    edit(run, "round", lambda body: body.update(model_hash="0" * 64))
    assert "round-00003.npz" in failures(verify(run))["model files"]
    edit(run, "round", lambda body: body.update(base_hash="0" * 64))
    assert "round 3 starts from 0000" in failures(verify(run))["model chain"]


def test_an_invented_ban_is_named(run: RunFolder) -> None:
    ban = {"identity": "carol", "kind": "ban", "reason": "", "sequence": 2}

    def forge(body: dict[str, Any]) -> None:
        body["facts"]["actions"] = [ban]

    edit(run, "round", forge)
    assert "round 3 applied a ban of 'carol' that nobody" in failures(verify(run))["actions"]


def test_another_seed_is_not_the_one_committed_to(run: RunFolder) -> None:
    edit(run, "end", lambda body: body.update(sketch_seed="00" * 32))
    assert "another seed" in failures(verify(run))["sketch seed"]
    edit(run, "end", lambda body: body.update(sketch_seed="zz"))
    assert "another seed" in failures(verify(run))["sketch seed"]


def test_a_configuration_that_nobody_could_have_run_is_named(run: RunFolder) -> None:
    edit(run, "header", lambda body: body.update(config={"quorum": 7}))
    assert "decisions" in failures(verify(run))


def test_damaged_and_missing_files_are_named(run: RunFolder) -> None:
    write_model(run.model, model_of(2))
    assert "model.npz" in failures(verify(run))["model files"]
    run.model.unlink()
    assert "model.npz is needed; got no such file" in failures(verify(run))["model files"]
    (run.checkpoints / "round-00003.npz").unlink()
    assert "round-00003.npz is missing" in failures(verify(run))["model files"]


def signed_run(
    path: Path, *, key: Ed25519Signer, signer: Ed25519Signer, bound: str = "", blame: str = ""
) -> RunFolder:
    """Return a run of one round in which one reply carries a signature.

    ``blame`` is the signature of a reply that the gate refused.
    """
    journal = journal_in(path)
    alice = replace(newcomer(CONFIG.reputation), public_key=bound)
    before = ReputationState(standings={"alice": alice} if bound else {})
    journal.begin(replace(header(), initial_state=before))
    whole = record(1, before)
    reply = replace(whole.facts.replies[1], public_key=key.public_key.hex())
    payload = update_payload(
        run_id=journal.run_id,
        round=1,
        base_hash=whole.base_hash,
        update_hash=reply.update_hash,
        num_examples=reply.num_examples or 0,
    )
    reply = replace(reply, signature=signer.sign(payload).hex())
    forged = replace(reply, identity="zed", verdict=Verdict.QUARANTINED, signature=blame)
    replies = (whole.facts.replies[0], reply, *whole.facts.replies[2:], forged)
    facts = RoundFacts(round=1, replies=replies)
    state, decision = decide(before, facts, CONFIG)
    journal.commit(replace(whole, facts=facts, decision=decision, state=state), checkpoint(1))
    return journal.folder


def test_signatures_are_checked_where_the_reply_was_accepted(tmp_path: Path) -> None:
    key, other = Ed25519Signer.from_seed(bytes(32)), Ed25519Signer.from_seed(bytes([1] * 32))
    good = verify(signed_run(tmp_path / "good", key=key, signer=key))
    assert good.ok
    assert {line.name: line.detail for line in good.lines}["signatures"] == "1 signatures valid"
    bad = verify(signed_run(tmp_path / "bad", key=key, signer=other))
    assert "round 1, 'alice'" in failures(bad)["signatures"]


def test_made_up_evidence_against_a_refused_reply_is_named(tmp_path: Path) -> None:
    key = Ed25519Signer.from_seed(bytes(32))
    run = signed_run(tmp_path / "run", key=key, signer=key, blame="00" * 64)
    assert "round 1, 'zed'" in failures(verify(run))["signatures"]


def test_a_valid_signature_of_another_key_than_the_identitys_is_named(tmp_path: Path) -> None:
    key, other = Ed25519Signer.from_seed(bytes(32)), Ed25519Signer.from_seed(bytes([1] * 32))
    own = verify(signed_run(tmp_path / "own", key=key, signer=key, bound=key.public_key.hex()))
    assert own.ok
    run = signed_run(tmp_path / "other", key=key, signer=key, bound=other.public_key.hex())
    found = failures(verify(run))["signatures"]
    assert found == "round 1, 'alice': not signed by the identity's key"

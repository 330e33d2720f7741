"""Run a prepared table on an engine, into a run folder like any other run's."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from parity_flwr.app.capture import captured
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.in_use import held
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.runs.outcome import check_outcome
from parity_flwr.app.runs.size import folder_bytes
from parity_flwr.app.runs.stopping import stoppable
from parity_flwr.app.tabular.attack_outcome import attack_outcome
from parity_flwr.app.tabular.preparing import PreparedTable
from parity_flwr.app.tabular.results import spent, table_result, with_model_folder
from parity_flwr.app.tabular.training import Trained, Training
from parity_flwr.clients import derived_signer
from parity_flwr.core.signatures import Signer
from parity_flwr.errors import RunError


def run_table(prepared: PreparedTable, table: LiveTable) -> dict[str, Any]:
    """Run the plan to its end and return what came out as plain data.

    The folder gets journal, checkpoints, report, ``encoding.json`` with what turns columns
    into inputs, with a privacy level ``privacy.json``, and ``model/`` for use elsewhere.

    Parameters
    ----------
    prepared : PreparedTable
    table : LiveTable
        Shows the rounds.

    Raises
    ------
    RunError
        The run gave no sound model.
    StoppedError
        The user interrupted it.
    """
    plan, folder, request = prepared.plan, prepared.folder, prepared.request
    sent = _publishing(prepared)
    trained = _trained(prepared, table, sent)
    problem = check_outcome(folder)
    if problem:
        raise RunError(
            f"run {folder.id} needs to end with a sound model",
            came=problem,
            action=f"see {folder.path / 'flower.log'}",
        )
    write_report(folder)
    result = table_result(plan, prepared.data, trained, folder)
    result["privacy"] = spent(prepared.privacy, trained)
    found = None
    if plan.attack is not None:
        found = attack_outcome(folder, prepared.attackers, excluded=result["excluded"])
    return with_model_folder(folder, prepared.data, trained, result) | {
        "engine": request.engine.value,
        "attack": found,
        "chain": sent.outcome() if sent is not None else None,
        "disk": {"bytes": folder_bytes(folder.path), "cap": request.disk_cap},
        "seconds": round(time.perf_counter() - prepared.started_s, 3),
    }


def _trained(prepared: PreparedTable, table: LiveTable, sent: Publishing | None) -> Trained:
    """Train, while the rounds are shown and published."""
    request, folder = prepared.request, prepared.folder
    training = Training(
        plan=prepared.plan,
        data=prepared.data,
        privacy=prepared.privacy,
        folder=folder,
        keep_updates=request.keep_updates,
        disk_cap=request.disk_cap,
    )
    table.expect(training.federation(None).rounds)
    with ExitStack() as stack:
        stack.enter_context(stoppable(folder))
        stack.enter_context(held(folder.path))
        stack.enter_context(captured(folder.path / "flower.log"))
        if sent is not None:
            stack.enter_context(sent)
            if request.resume is None:
                table.pays(sent.rewards)
        stack.enter_context(Follower(lambda: folder, table))
        return training.on(request.engine)


def _publishing(prepared: PreparedTable) -> Publishing | None:
    """Publish the rounds; with secure sums clients sign, with keys that the run derives."""
    request, folder, privacy = prepared.request, prepared.folder, prepared.privacy
    if request.chain is None:
        return None

    def signer_of(identity: str) -> Signer | None:
        place = identity.removeprefix("client-")
        derived = privacy is not None and place.isdecimal()
        return derived_signer(folder.id.encode(), int(place)) if derived else None

    return Publishing(
        request.chain, locate=lambda: folder, resume=request.resume, signer_of=signer_of
    )

"""The demo: ten clients, three liars, three runs on the same seed, and the verdict on them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp.strategy import FedAvg, Strategy

from parity_flwr.app.capture import captured
from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.chains.summary import ChainSummary, chain_summary
from parity_flwr.app.demo_task import CLIENTS, ROUNDS, DemoTask
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.journal import open_journal
from parity_flwr.app.journal.opening import start_journal
from parity_flwr.app.report.baselines import Baseline, Baselines, write_baselines
from parity_flwr.app.report.build import write_report
from parity_flwr.app.runs.asked import AskedRun, write_asked
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.follow import Follower
from parity_flwr.app.runs.in_use import held
from parity_flwr.app.runs.live import LiveTable
from parity_flwr.app.verification.verify import Verification, verify
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.rounds import excluded_identities
from parity_flwr.strategies import ReputationFedAvg, Sampling

EMBEDDED = ChainChoice()
"""The chain of the demo: a real EVM in this process."""

Curve = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo ended with. Accuracies are shares of the central test set."""

    run_id: str
    model_hash: str  # of the model with reputation, after the last round
    rounds: int
    accuracy_clean: float  # FedAvg over the same honest clients alone: the oracle
    accuracy_fedavg: float
    accuracy_parity: float
    attackers: tuple[str, ...]
    flagged: tuple[str, ...]  # identities excluded at the end of the run
    reputation: Mapping[str, float]  # composite by identity, at the end
    chain: ChainSummary | None  # None without a chain
    trouble: str  # why not all rounds are on the chain, empty if they are
    verification: Verification
    report: Path
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, as ``parity demo --json`` prints it."""
        return {
            "run_id": self.run_id,
            "model_hash": self.model_hash,
            "rounds": self.rounds,
            "accuracy_clean": self.accuracy_clean,
            "accuracy_fedavg": self.accuracy_fedavg,
            "accuracy_parity": self.accuracy_parity,
            "attackers": list(self.attackers),
            "flagged": list(self.flagged),
            "chain": None if self.chain is None else self.chain.to_json(),
            "trouble": self.trouble,
            "verify": "ok" if self.verification.ok else "failed",
            "checks": [
                {"name": line.name, "ok": line.ok, "detail": line.detail}
                for line in self.verification.lines
            ],
            "report": str(self.report),
            "seconds": round(self.seconds, 2),
        }


def run_demo(
    *,
    seed: int,
    home: Path,
    on_progress: LiveTable,
    chain: ChainChoice | None = EMBEDDED,
    asked: AskedRun | None = None,
) -> DemoResult:
    """Run the oracle, plain FedAvg and ours on one seed, in this process, offline.

    The run with reputation is journalled in a new run under ``home``, verified and reported.

    Parameters
    ----------
    seed : int
        Divides the data, draws the attackers and everything else.
    home : Path
        ``$PARITY_HOME``.
    on_progress : LiveTable
        Where the run is shown.
    chain : ChainChoice or None
        Where its rounds are anchored and its clients are paid; None for nowhere.
    asked : AskedRun, optional
        The command line, to be remembered for ``parity rerun``.
    """
    started = time.perf_counter()
    folder = RunFolder.create(home)
    write_asked(folder, asked)
    task = DemoTask(seed)
    everybody = range(CLIENTS)
    on_progress.expect(ROUNDS)
    publishing = _publishing(chain, folder, task)
    if chain is not None:
        on_progress.pays(chain.rewards)
    with held(folder.path), captured(folder.path / "flower.log"):
        on_progress("FedAvg over the honest clients alone")
        oracle = _train(task, FedAvg(fraction_evaluate=0.0), task.honest)
        on_progress("FedAvg over everybody")
        fedavg = _train(task, FedAvg(fraction_evaluate=0.0), everybody)
        strategy = _strategy(seed, folder)
        with Follower(lambda: folder, on_progress), publishing or nullcontext():
            ours = _train(task, strategy, everybody)
    baselines = Baselines(fedavg=_baseline(fedavg), oracle=_baseline(oracle))
    write_baselines(folder.path, baselines)
    verification = verify(folder)
    journal = open_journal(folder)
    last = journal.rounds()[-1]
    state = last.state
    return DemoResult(
        run_id=folder.id,
        model_hash=last.model_hash,
        rounds=last.round,
        accuracy_clean=oracle[-1][1],
        accuracy_fedavg=fedavg[-1][1],
        accuracy_parity=ours[-1][1],
        attackers=tuple(sorted(f"client-{k}" for k in task.attackers)),
        flagged=excluded_identities(state, TrustConfig()),
        reputation={name: each.composite for name, each in state.standings.items()},
        chain=chain_summary(journal),
        trouble=publishing.trouble if publishing is not None else "",
        verification=verification,
        report=write_report(folder, verification=verification),
        seconds=time.perf_counter() - started,
    )


def _publishing(
    chain: ChainChoice | None, folder: RunFolder, task: DemoTask
) -> Publishing | None:
    """Publish the rounds; every client consents with the key that signs its replies."""
    if chain is None:
        return None
    return Publishing(chain, locate=lambda: folder, signer_of=task.signer_of)


def _strategy(seed: int, folder: RunFolder) -> ReputationFedAvg:
    return ReputationFedAvg(
        sampling=Sampling(fraction_evaluate=0.0, min_available_nodes=CLIENTS),
        seed=seed,
        journal=start_journal(folder),
    )


def _train(task: DemoTask, strategy: Strategy, members: Sequence[int]) -> Curve:
    """Return the accuracy on the central test set after each round."""
    curve: list[tuple[int, float]] = []

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord:
        metrics = task.evaluate(server_round, arrays)
        curve.append((server_round, float(str(metrics["accuracy"]))))
        return metrics

    with InProcessGrid(task.client_app(members), len(members)) as grid:
        strategy.start(grid, task.initial_arrays(), num_rounds=ROUNDS, evaluate_fn=evaluate)
    return tuple(curve)


def _baseline(curve: Curve) -> Baseline:
    return Baseline(curve=curve, final=curve[-1][1])

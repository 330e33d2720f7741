"""Local DP: what leaves a client is clipped, noised, charged, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from flower_messages import decoded, instruction, metrics_of, node
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.app.engines.task_identity import task_identity
from parity_flwr.clients import LocalDPMod, parity_mods
from parity_flwr.clients.client_ledger import STATE_RECORD, ClientLedger
from parity_flwr.core.canonical import loads
from parity_flwr.core.privacy.ledger import Ledger
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.core.privacy.mechanisms import gaussian_epsilon
from parity_flwr.core.privacy.stream import RandomStream
from parity_flwr.errors import BudgetError, ConfigError, JournalError
from parity_flwr.strategies import SafeFedAvg

SEED = bytes(range(32))
SIZE = 2000


@pytest.fixture(autouse=True)
def identity() -> Any:
    with task_identity(1):
        yield


def promise(**changes: Any) -> LocalPrivacy:
    settings: dict[str, Any] = {"epsilon": 8.0, "delta": 1e-5, "clip": 1.0, "rounds": 4}
    return LocalPrivacy(**{**settings, **changes})


def base() -> dict[str, NDArray[Any]]:
    return {"w": np.ones(SIZE, np.float32), "n": np.array(7)}


def sender(step: float) -> Callable[[Message, Context], Message]:
    """Return an app's inside: it moves w by ``step`` and tells more than it should."""

    def answer(message: Message, context: Context) -> Message:
        if message.metadata.message_type != "train":
            told = RecordDict({"metrics": MetricRecord({"num-examples": 5, "accuracy": 0.5})})
            return Message(told, reply_to=message)
        arrays = message.content.array_records["arrays"]
        moved = {
            "w": Array((arrays["w"].numpy() + step).astype(np.float32)),
            "n": Array(np.asarray(arrays["n"].numpy() + 1)),
        }
        content = RecordDict(
            {
                "arrays": ArrayRecord(moved),
                "metrics": MetricRecord({"num-examples": 123, "train-loss": 0.3}),
                "info": ConfigRecord({"diagnosis": "yes"}),
            }
        )
        return Message(content, reply_to=message)

    return answer


def test_what_leaves_is_base_plus_clipped_update_plus_noise() -> None:
    privacy = promise()
    reply = LocalDPMod(privacy, noise_seed=SEED)(instruction(base()), node(), sender(1.0))
    sent = decoded(reply)
    update = sent["w"].astype(np.float64) - 1.0
    assert update.std() == pytest.approx(privacy.sigma, rel=0.05)
    assert abs(update.mean()) < 4 * privacy.sigma / math.sqrt(SIZE) + 1 / math.sqrt(SIZE)
    assert int(sent["n"]) == 7
    assert metrics_of(reply) == {"num-examples": 1}
    assert list(reply.content) == ["arrays", "metrics"]


def test_without_the_noise_it_is_the_clipped_update() -> None:
    privacy = promise()

    def seeded(step: float) -> NDArray[np.float64]:
        mod = LocalDPMod(privacy, noise_seed=SEED)
        sent: NDArray[np.float64] = decoded(mod(instruction(base()), node(), sender(step)))["w"]
        return sent.astype(np.float64)

    difference = seeded(1.0) - seeded(0.0)  # the same noise under both
    assert np.linalg.norm(difference) == pytest.approx(1.0, rel=1e-3)
    assert np.linalg.norm(seeded(-1.0) - seeded(1.0)) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_update_that_is_no_number_counts_as_none(bad: float) -> None:
    broken = decoded(
        LocalDPMod(promise(), noise_seed=SEED)(instruction(base()), node(), sender(bad))
    )
    still = decoded(
        LocalDPMod(promise(), noise_seed=SEED)(instruction(base()), node(), sender(0.0))
    )
    assert broken["w"].tolist() == still["w"].tolist()


def test_evaluation_leaves_only_where_it_is_allowed_to() -> None:
    message = instruction(base(), kind="evaluate")
    with pytest.raises(ConfigError, match="local DP with client metrics cannot hold"):
        LocalDPMod(promise())(message, node(), sender(1.0))
    reply = LocalDPMod(promise(), evaluation=True)(message, node(), sender(1.0))
    assert metrics_of(reply) == {"num-examples": 5, "accuracy": 0.5}


def test_the_budget_is_kept_over_rounds_and_objects() -> None:
    privacy, context = promise(rounds=3), node()
    for round_ in (1, 2, 3):
        message = instruction(base(), {"server-round": round_, "parity-run": "r"})
        LocalDPMod(privacy)(message, context, sender(1.0))
    body = context.state.config_records[STATE_RECORD]["ledger"]
    assert isinstance(body, bytes)
    ledger = loads(body, Ledger)
    assert [each.round for each in ledger.charges] == [1, 2, 3]
    assert 7.98 < ledger.spent(client="client-0") <= 8.0
    trained: list[int] = []

    def never(message: Message, context: Context) -> Message:
        trained.append(1)
        return sender(1.0)(message, context)

    with pytest.raises(BudgetError):
        LocalDPMod(privacy)(instruction(base(), {"server-round": 4}), context, never)
    assert trained == []


def test_a_round_asked_for_twice_is_charged_twice() -> None:
    privacy, context = promise(rounds=2), node()
    message = instruction(base(), {"parity-run": "r"})
    first = decoded(LocalDPMod(privacy)(message, context, sender(0.0)))
    second = decoded(LocalDPMod(privacy)(message, context, sender(0.0)))
    assert first["w"].tolist() != second["w"].tolist()
    with pytest.raises(BudgetError):
        LocalDPMod(privacy)(message, context, sender(0.0))


def test_a_failed_training_costs_nothing() -> None:
    from parity_flwr.clients.guard import refusal

    context = node()
    reply = LocalDPMod(promise())(
        instruction(base()), context, lambda message, _: refusal(message, "Oops")
    )
    assert reply.has_error()
    assert STATE_RECORD not in context.state


def test_a_file_outlives_the_context(tmp_path: Path) -> None:
    privacy, file = promise(rounds=2), tmp_path / "ledger.json"
    for round_ in (1, 2):
        message = instruction(base(), {"server-round": round_})
        LocalDPMod(privacy, ledger_file=file)(message, node(), sender(1.0))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.json"]
    with pytest.raises(BudgetError):
        LocalDPMod(privacy, ledger_file=file)(instruction(base()), node(), sender(1.0))


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_damaged_ledger_stops_the_release(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "ledger.json"
    file.write_bytes(body)
    with pytest.raises(JournalError):
        LocalDPMod(promise(), ledger_file=file)(instruction(base()), node(), sender(1.0))
    assert file.read_bytes() == body


def test_a_ledger_of_another_unit_is_refused(tmp_path: Path) -> None:
    from parity_flwr.core.privacy.ledger import Budget, Charge, Unit

    file = tmp_path / "ledger.json"
    other = ClientLedger(Budget(epsilon=1.0, delta=1e-5, unit=Unit.EXAMPLE), node(), file)
    other.charge(Charge(run="r", round=1, noise_multiplier=9.0, unit=Unit.EXAMPLE))
    with pytest.raises(ConfigError, match="one unit"):
        LocalDPMod(promise(), ledger_file=file)(instruction(base()), node(), sender(1.0))


@pytest.mark.parametrize("where", ["app", "function"])
def test_a_run_with_local_dp_ends_when_the_budgets_do(where: str) -> None:
    mod = LocalDPMod(promise(rounds=2), evaluation=True)
    answer = sender(0.01)
    app = ClientApp(mods=parity_mods(inner=[mod], numpy_client=False) if where == "app" else [])

    @app.train(mods=[mod] if where == "function" else [])
    def train(message: Message, context: Context) -> Message:
        return answer(message, context)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return answer(message, context)

    with InProcessGrid(app, 3) as grid:
        result = SafeFedAvg().start(
            grid,
            ArrayRecord({name: Array(each) for name, each in base().items()}),
            num_rounds=3,
        )
    assert result.evaluate_metrics_clientapp[1]["accuracy"] == 0.5
    assert set(result.train_metrics_clientapp) >= {1, 2}
    assert np.isfinite(result.arrays["w"].numpy()).all()


def test_the_sensitivity_is_twice_the_clip() -> None:
    privacy = promise(noise_multiplier=0.7)
    assert privacy.sigma == pytest.approx(1.4)
    exact = gaussian_epsilon(1e-5, noise_multiplier=privacy.sigma / 2.0)
    charge = privacy.charge("r", 1, client="c", release=0)
    spent = Ledger(budget=promise(epsilon=100.0).budget).charged(charge).spent()
    assert spent == pytest.approx(exact)
    noisy = privacy.noised(np.zeros(100_000), RandomStream(SEED))
    assert noisy.std() == pytest.approx(1.4, rel=0.02)


@pytest.mark.parametrize(
    "changes",
    [{"epsilon": 0.0}, {"delta": 1.0}, {"clip": math.inf}, {"rounds": 0}, {"clip": math.nan}],
)
def test_what_promises_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        promise(**changes)
    with pytest.raises(ConfigError):
        LocalDPMod(promise(), examples=0)

"""The batched engine is the product's clients and strategies, only faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, RecordDict
from flwr.client import Client
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

pytest.importorskip("torch")

from parity_flwr.app.compare.contender import Setting, Submissions
from parity_flwr.app.compare.contenders import CONTENDERS
from parity_flwr.app.compare.data import Samples
from parity_flwr.app.compare.perceptron import Perceptron
from parity_flwr.app.compare.reputation import Reputable
from parity_flwr.app.compare.simulation import Run, simulate
from parity_flwr.app.compare.task import Federation, Task, build_task
from parity_flwr.app.compare.training import train_together
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import Examples, LocalTraining, TorchClient, mlp, parity_mods
from parity_flwr.clients.attacks import AttackMod, SignFlip
from parity_flwr.core.config import Formula
from parity_flwr.core.modes import PAPER_LAMBDA, PAPER_TAU, Mode, trust_config
from parity_flwr.core.reputation import is_excluded
from parity_flwr.strategies import ReputationFedAvg, Sampling

SMALL = Federation(
    dataset="made",
    clients=8,
    rounds=6,
    steps=4,
    batch_size=16,
    hidden=8,
    min_size=10,
    root_examples=20,
    curve_examples=50,
)


def samples(count: int = 600, inputs: int = 12, classes: int = 4) -> Samples:
    """Make clusters with noise, one for each class."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((classes, inputs))
    y = rng.integers(classes, size=count)
    x = (centres[y] + rng.standard_normal((count, inputs))).astype(np.float32)
    return Samples(x[100:], y[100:], x[:100], y[:100])


def task(partition: str = "dirichlet", seed: int = 1, federation: Federation = SMALL) -> Task:
    return build_task(federation, samples(), partition=partition, seed=seed)


def client_of(made: Task) -> Callable[[Context], Client]:
    """Return the per-client path: a TorchClient for each part."""
    model = mlp(made.model.inputs, hidden=(made.model.hidden,), classes=made.model.classes)
    federation = made.federation
    training = LocalTraining(
        seed=made.seed,
        steps=federation.steps,
        batch_size=federation.batch_size,
        learning_rate=federation.learning_rate,
    )

    def client_fn(context: Context) -> Client:
        rows = made.parts[int(context.node_config["partition-id"])]
        examples = Examples(made.x_train[rows].numpy(), made.y_train[rows].numpy())
        return TorchClient(
            model, train=examples, test=examples, context=context, training=training
        ).to_client()

    return client_fn


def in_process(
    made: Task, strategy: ReputationFedAvg, attackers: list[int]
) -> NDArray[np.float32]:
    """Return the final model of the same run through Flower's messages."""
    mod = AttackMod(
        {k: SignFlip(scale=4.0) for k in attackers}, seed=0, num_partitions=len(made.parts)
    )
    app = ClientApp(client_of(made), mods=parity_mods(inner=[mod]))
    names = [f"{k}" for k in range(4)]
    arrays = zip(names, made.model.arrays(made.start), strict=True)
    record = ArrayRecord({name: Array(array.copy()) for name, array in arrays})
    with InProcessGrid(app, len(made.parts)) as grid:
        result = strategy.start(grid, record, num_rounds=made.federation.rounds)
    return np.concatenate([result.arrays[name].numpy().ravel() for name in names])


def test_batched_training_equals_a_torch_client_alone() -> None:
    made = task()
    assert min(made.examples) < SMALL.steps * SMALL.batch_size  # small batches occur
    updates = Run(made, strategy="fedavg", attack="none", fraction=0.0).train(3)
    start = made.model.arrays(made.start)
    for k in range(len(made.parts)):
        context = Context(1, 1, {"partition-id": k}, RecordDict(), {})
        client = client_of(made)(context).numpy_client  # type: ignore[attr-defined]
        trained, count, _ = client.fit(start, {"server-round": 3})
        alone = np.concatenate([array.ravel() for array in trained]) - made.start
        assert count == made.examples[k]
        np.testing.assert_allclose(updates[k], alone, atol=2e-6)


@pytest.mark.slow
def test_a_cell_is_the_run_that_flower_makes_of_it() -> None:
    made = task("iid")
    run = Run(made, strategy="reputation", attack="sign_flip", fraction=0.25)
    outcome = run.finish()
    attackers = made.attackers(0.25).tolist()
    strategy = ReputationFedAvg(
        seed=made.seed,
        journal=None,
        sampling=Sampling(fraction_evaluate=0.0, min_available_nodes=SMALL.clients),
    )
    final = in_process(made, strategy, attackers)
    np.testing.assert_allclose(run.model, final, atol=2e-4)
    out = [
        int(name.removeprefix("client-"))
        for name, standing in strategy.state.standings.items()
        if is_excluded(standing, strategy.config.reputation)
    ]
    assert outcome.fell is not None
    assert sorted(out) == [k for k, f in zip(attackers, outcome.fell, strict=True) if f]
    assert outcome.auc == 1.0


def test_one_step_is_the_gradient_by_hand() -> None:
    # One input 2, one hidden unit, weights 1, two classes with weights 0 and 0: the logits
    # are 0, softmax is 1/2 each, and for class 0 the slope of the logits is (-1/2, 1/2).
    torch = pytest.importorskip("torch")
    model = Perceptron(inputs=1, hidden=1, classes=2)
    start = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], np.float32)
    update = train_together(
        model,
        start,
        inputs=torch.tensor([[[[2.0]]]]),
        labels=torch.tensor([[[0]]]),
        shares=torch.tensor([[[1.0]]]),
        learning_rate=0.1,
    )
    # outer weights move by 0.1 * 1/2 * activation 2, biases by 0.1 * 1/2; inner stay
    np.testing.assert_allclose(update, [[0.0, 0.0, 0.1, -0.1, 0.05, -0.05]], atol=1e-7)


def test_empty_places_of_a_small_batch_change_nothing() -> None:
    torch = pytest.importorskip("torch")
    model = Perceptron(inputs=3, hidden=4, classes=2)
    start = model.initial(np.random.default_rng(0))
    x = torch.randn((1, 1, 5, 3), generator=torch.Generator().manual_seed(1))
    y = torch.tensor([[[0, 1, 1, 0, 1]]])
    shares = torch.tensor([[[0.5, 0.5, 0.0, 0.0, 0.0]]])
    padded = train_together(model, start, inputs=x, labels=y, shares=shares, learning_rate=0.1)
    short = train_together(
        model,
        start,
        inputs=x[:, :, :2],
        labels=y[:, :, :2],
        shares=shares[:, :, :2],
        learning_rate=0.1,
    )
    np.testing.assert_allclose(padded, short, atol=1e-7)


@pytest.mark.parametrize("strategy", ["reputation", "nnm_trimmed_mean", "fltrust"])
def test_a_cell_repeats_bit_for_bit(strategy: str) -> None:
    first = simulate(task(), strategy=strategy, attack="alie_noise", fraction=0.25)
    again = simulate(task(), strategy=strategy, attack="alie_noise", fraction=0.25)
    assert first == again


def test_the_seed_changes_everything() -> None:
    one, other = task(seed=1), task(seed=2)
    assert not np.array_equal(one.start, other.start)
    assert not np.array_equal(one.order, other.order)
    assert [len(part) for part in one.parts] != [len(part) for part in other.parts]


def test_attackers_of_a_smaller_fraction_attack_in_a_larger_one_too() -> None:
    made = task()
    assert set(made.attackers(0.25)) < set(made.attackers(0.5))
    assert made.attackers(0.0).size == 0


def test_root_examples_belong_to_no_client() -> None:
    made = task()
    held = np.concatenate([part.numpy() for part in made.parts])
    assert not set(made.root.tolist()) & set(held.tolist())
    assert len(held) + len(made.root) == 500


def test_a_destroyed_model_ends_at_chance() -> None:
    wild = replace(SMALL, learning_rate=1e20)
    outcome = simulate(task(federation=wild), strategy="fedavg", attack="none", fraction=0.0)
    assert outcome.accuracy == 0.25


def test_the_oracle_is_fedavg_without_the_attackers() -> None:
    made = task()
    oracle = Run(made, strategy="oracle", attack="sign_flip", fraction=0.25)
    updates = oracle.train(1)
    honest = np.setdiff1d(np.arange(8), made.attackers(0.25))
    shares = made.examples[honest] / made.examples[honest].sum()
    oracle.step(1)
    np.testing.assert_allclose(oracle.model - made.start, shares @ updates[honest], atol=1e-6)


@pytest.mark.parametrize("fraction", [0.0, 0.45])
@pytest.mark.parametrize("strategy", CONTENDERS)
def test_every_contender_runs(strategy: str, fraction: float) -> None:
    short = task("iid", federation=replace(SMALL, rounds=2))
    outcome = simulate(short, strategy=strategy, attack="alie_noise", fraction=fraction)
    assert 0 < outcome.accuracy <= 1
    assert len(outcome.attackers) == round(8 * fraction)


def test_the_paper_s_equations_never_exclude_anybody() -> None:
    outcome = simulate(task(), strategy="paper", attack="sign_flip", fraction=0.25)
    assert outcome.fell == (None, None)
    assert outcome.honest_excluded_ever == ()


def test_on_off_attackers_have_less_weight_with_each_cycle() -> None:
    # They earn trust for 20 rounds, then flip signs in 5 of every 10.
    federation = replace(SMALL, rounds=60, clients=12)
    trained = task("dirichlet", 2, federation)
    outcome = simulate(trained, strategy="reputation", attack="on_off", fraction=0.25)
    assert outcome.attackers_share is not None
    share = np.array(outcome.attackers_share)
    earned, first, last = share[:20].mean(), share[20:30].mean(), share[40:].mean()
    assert 0.1 < earned < 0.3
    assert first < earned / 10
    assert last < first / 2


def test_the_papers_penalty_is_absolute_and_looks_at_the_nearest_other_one() -> None:
    # Eq. 6: exp(-lambda max(0, rho - tau)), here seen in the decayed mean of soundness.
    config = trust_config(Mode.PAPER)
    config = replace(config, reputation=replace(config.reputation, merit=Formula.DECIDED))
    updates = np.array([[0, 0], [0.1, 0], [0, 0.1], [0.1, 0.1], [0, 2.65]], np.float32)
    contender = Reputable(Setting(5, 1, 0, np.zeros(5, bool)), config)
    examples = np.full(5, 10)
    contender(Submissions(1, updates, examples, lambda: updates[0]))
    rho = 2.55  # of the last one, to (0, 0.1)
    penalty = np.exp(-PAPER_LAMBDA * (rho - PAPER_TAU))
    standings = contender.state.standings
    assert standings["client-0"].success == 1.0
    np.testing.assert_allclose(standings["client-4"].success, 0.9 + 0.1 * penalty, rtol=1e-5)

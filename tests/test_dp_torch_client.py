"""DP-SGD clients: the clipped sum is the naive one, and no object forgets the budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context
from flwr.clientapp import ClientApp

from flower_messages import node
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import (
    Clipping,
    DPTorchClient,
    ExamplePrivacy,
    Examples,
    LocalTraining,
    Method,
    initial_arrays,
    mlp,
    parity_mods,
    private_model,
)
from parity_flwr.clients.dp_gradients import clipped_sums
from parity_flwr.core.privacy.accounting import Release, spent_epsilon
from parity_flwr.errors import BudgetError, ConfigError
from parity_flwr.strategies import SafeFedAvg

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")
from torch import nn  # noqa: E402

FACTORY = mlp(5, hidden=(4,), classes=3)


def blobs(count: int = 60) -> Examples:
    rng = np.random.default_rng(5)
    y = np.arange(count) % 3
    x = rng.normal(size=(count, 5)) + 2 * np.eye(5)[y]
    return Examples(x.astype(np.float32), y.astype(np.int64))


def promise(**changes: Any) -> ExamplePrivacy:
    settings: dict[str, Any] = {"epsilon": 4.0, "delta": 1e-3, "rounds": 4}
    return ExamplePrivacy(**{**settings, **changes})


def client(
    context: Context | None = None,
    *,
    factory: Any = FACTORY,
    data: Examples | None = None,
    training: LocalTraining | None = None,
    **changes: Any,
) -> DPTorchClient:
    data = blobs() if data is None else data
    return DPTorchClient(
        factory,
        train=data,
        test=data,
        context=context or node(0),
        privacy=promise(**changes),
        training=training or LocalTraining(batch_size=1000),  # all: a closed form, no wait
    )


def start(factory: Any = FACTORY) -> list[np.ndarray]:
    return list(initial_arrays(factory, seed=3).values())


def naive(
    model: nn.Module, data: Examples, clip: float, clipping: Clipping
) -> list[np.ndarray]:
    """Return the clipped sum, example by example, in float64."""
    parameters = list(model.parameters())
    total = [np.zeros(tuple(each.shape)) for each in parameters]
    for x, y in zip(data.x, data.y, strict=True):
        loss = nn.functional.cross_entropy(model(torch.tensor(x[None])), torch.tensor([y]))
        found = [each.numpy() for each in torch.autograd.grad(loss, parameters)]
        norms = [float(np.linalg.norm(each)) for each in found]
        for index, gradient in enumerate(found):
            length, bound = float(np.linalg.norm(norms)), clip
            if clipping is Clipping.PER_LAYER:
                length, bound = norms[index], clip / len(found) ** 0.5
            total[index] += gradient * min(1.0, bound / max(length, 1e-30))
    return total


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 5)),
        nn.Conv1d(1, 2, 3),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


@pytest.mark.parametrize(
    ("factory", "method", "clipping"),
    [
        (FACTORY, Method.GHOST, Clipping.FLAT),
        (FACTORY, Method.HOOKS, Clipping.FLAT),
        (FACTORY, Method.HOOKS, Clipping.PER_LAYER),
        (FACTORY, Method.AUTO, Clipping.PER_LAYER),
        (conv, Method.AUTO, Clipping.FLAT),
        (conv, Method.GHOST, Clipping.FLAT),
    ],
)
def test_the_clipped_sum_is_that_of_a_loop_over_examples(
    factory: Any, method: Method, clipping: Clipping
) -> None:
    torch.manual_seed(1)
    model, data = factory(), blobs(23)
    twin = factory()
    twin.load_state_dict(model.state_dict())
    for each in twin.modules():
        if isinstance(each, nn.ReLU):
            each.inplace = False
    sums = clipped_sums(
        model, clip=0.5, clipping=clipping, method=method, physical_batch=8, loss=None
    )
    for _ in range(2):  # nothing is left over from one call to the next
        found = sums.add(torch.tensor(data.x), torch.tensor(data.y))
        for ours, theirs in zip(found, naive(twin, data, 0.5, clipping), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-4, atol=2e-5)
    empty = sums.add(torch.tensor(data.x[:0]), torch.tensor(data.y[:0]))
    assert all(not each.numpy().any() for each in empty)


@pytest.mark.parametrize("method", [Method.GHOST, Method.HOOKS])
def test_an_example_that_is_no_number_does_not_mark_the_sum(method: Method) -> None:
    data = blobs(9)
    x = data.x.copy()
    x[4] = np.nan
    keep = np.arange(9) != 4
    sums = clipped_sums(
        FACTORY(), clip=1.0, clipping=Clipping.FLAT, method=method, physical_batch=4, loss=None
    )
    spoilt = sums.add(torch.tensor(x), torch.tensor(data.y))
    without = sums.add(torch.tensor(data.x[keep]), torch.tensor(data.y[keep]))
    for ours, theirs in zip(spoilt, without, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def test_one_example_moves_the_sum_by_the_clip_at_most() -> None:
    data = blobs(12)
    sums = clipped_sums(
        FACTORY(),
        clip=0.1,
        clipping=Clipping.FLAT,
        method=Method.GHOST,
        physical_batch=8,
        loss=None,
    )
    x = data.x.copy()
    x[0] *= 1e4
    parts = [
        torch.cat([each.flatten() for each in sums.add(torch.tensor(v), torch.tensor(y))])
        for v, y in ((x, data.y), (x[1:], data.y[1:]))
    ]
    assert float((parts[0] - parts[1]).norm()) <= 0.1 + 1e-5


def test_the_budget_lasts_over_rounds_although_each_makes_a_new_client() -> None:
    context, arrays = node(0), start()
    for round_ in (1, 2, 3, 4):
        one = client(context)
        before = one.ledger.spent()
        arrays, examples, metrics = one.fit(arrays, {"server-round": round_})
        assert (examples, metrics) == (60, {})
        assert one.ledger.spent() > before
    charge = one.ledger.charges[0]
    release = Release(noise_multiplier=charge.noise_multiplier, count=4 * one.steps)
    assert one.ledger.spent() == pytest.approx(spent_epsilon([release], delta=1e-3))
    assert 3.98 < one.ledger.spent() <= 4.0  # calibrated for exactly these four rounds
    with pytest.raises(BudgetError):
        client(context).fit(arrays, {"server-round": 5})


def test_the_noise_of_a_step_is_what_was_charged() -> None:
    wide = mlp(5, hidden=(2000,), classes=3)
    one = client(
        factory=wide,
        training=LocalTraining(steps=1, batch_size=6, learning_rate=1.0),
        noise_multiplier=5.0,
        epsilon=100.0,
        clip=0.01,
    )
    before = start(wide)
    after, _, _ = one.fit(before, {"server-round": 1})
    step = np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)])
    assert step.std() == pytest.approx(5.0 * 0.01 / 6, rel=0.05)


def test_the_process_random_state_is_left_alone_and_noise_never_repeats() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one = client().fit(start(), {"server-round": 1})[0]
    two = client().fit(start(), {"server-round": 1})[0]
    assert torch.equal(torch.get_rng_state(), state)
    assert any((a != b).any() for a, b in zip(one, two, strict=True))


def test_it_learns() -> None:
    data = blobs(600)
    one = client(
        data=data,
        training=LocalTraining(epochs=4, batch_size=60, learning_rate=0.5),
        epsilon=8.0,
        rounds=1,
        noise_multiplier=1.5,
    )
    arrays, _, _ = one.fit(start(), {"server-round": 1})
    assert float(one.evaluate(arrays, {})[2]["accuracy"]) > 0.8
    (charge,) = one.ledger.charges
    assert (charge.sampling, charge.count) == (0.1, 40)
    assert 1.0 < one.ledger.spent() <= 8.0


def test_unsupported_layers_are_named_and_fixed() -> None:
    def with_batch_norm() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(True), nn.Linear(4, 3))

    with pytest.raises(ConfigError, match=r"1 \(BatchNorm1d\)"):
        client(factory=with_batch_norm)
    fixed = private_model(with_batch_norm)
    arrays, _, _ = client(factory=fixed).fit(start(fixed), {"server-round": 1})
    assert [each.shape for each in arrays] == [each.shape for each in start(fixed)]


def test_ghost_clipping_is_refused_where_it_does_not_hold() -> None:
    refused: list[dict[str, Any]] = [
        {"clipping": Clipping.PER_LAYER},
        {"training": LocalTraining(loss=nn.functional.cross_entropy)},
    ]
    for wrong in refused:
        with pytest.raises(ConfigError, match="ghost clipping needs"):
            client(method=Method.GHOST, **wrong)
    with pytest.raises(ConfigError, match="below 1/n"):
        client(delta=0.1)


def test_a_federation_of_private_clients_runs_and_stops() -> None:
    data = blobs(90)

    def make(context: Context) -> Any:
        return client(context, data=data, rounds=2).to_client()

    app = ClientApp(make, mods=parity_mods())
    model = ArrayRecord({n: Array(a) for n, a in initial_arrays(FACTORY, seed=3).items()})
    with InProcessGrid(app, 3) as grid:
        result = SafeFedAvg().start(grid, model, num_rounds=3)
    assert set(result.train_metrics_clientapp) == {1, 2}  # the third round had no reply
    assert set(result.evaluate_metrics_clientapp) == {1, 2, 3}

"""Torch clients that send part of a model, keep state, predict numbers, or mix precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from parity_flwr.clients import Examples, LocalTraining, TorchClient, cnn, initial_arrays, mlp
from parity_flwr.clients.torch_state import LOCAL, OPTIMIZER
from parity_flwr.errors import CheckpointError, ConfigError

torch = pytest.importorskip("torch")


def examples(*, regression: bool = False, n: int = 64) -> Examples:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    numbers = x @ np.array([1.0, -2.0, 0.5, 0.0], np.float32)
    return Examples(x, numbers if regression else (numbers > 0).astype(np.int64))


def context(state: RecordDict | None = None) -> Context:
    return Context(1, 1, {"partition-id": 0}, RecordDict() if state is None else state, {})


def client(
    factory: Any, training: LocalTraining, where: Context, data: Examples | None = None
) -> TorchClient:
    data = data or examples()
    return TorchClient(factory, train=data, test=data, context=where, training=training)


def adapted() -> Any:
    """Return a frozen layer with a trained adapter of rank 1, as LoRA has."""
    from torch import nn

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = nn.Linear(4, 2)
            self.base.requires_grad_(False)
            self.down = nn.Linear(4, 1, bias=False)
            self.up = nn.Linear(1, 2, bias=False)

        def forward(self, x: Any) -> Any:
            return self.base(x) + self.up(self.down(x))

    return Adapted()


def test_only_the_adapter_travels_and_only_it_is_trained() -> None:
    training = LocalTraining(travels="trainable", epochs=3)
    start = initial_arrays(adapted, seed=0, travels="trainable")
    assert list(start) == ["down.weight", "up.weight"]
    where = context()
    one = client(adapted, training, where)
    arrays, _, _ = one.fit(list(start.values()), {"server-round": 1})
    assert [a.shape for a in arrays] == [(1, 4), (2, 1)]
    assert not np.array_equal(arrays[0], start["down.weight"])
    assert LOCAL not in where.state  # the frozen base is the factory's, each time


def test_what_does_not_travel_stays_with_the_client() -> None:
    factory = mlp(4, hidden=(3,), classes=2)
    training = LocalTraining(travels=lambda name: name.startswith("0."), seed=3)
    start = list(initial_arrays(factory, seed=0, travels=training.travels).values())
    where = context()
    first, _, _ = client(factory, training, where).fit(start, {"server-round": 1})
    kept = where.state.array_records[LOCAL]
    assert sorted(kept) == ["2.bias", "2.weight"]
    again = client(factory, training, where)
    loss = again.evaluate(first, {"server-round": 1})[0]
    stranger = client(factory, training, context()).evaluate(first, {"server-round": 1})[0]
    assert loss < stranger  # whose head has seen nothing


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_moments_survive_from_round_to_round(optimizer: str) -> None:
    """Two rounds of 3 steps with kept moments are the 6 steps of one round."""
    factory = mlp(4, hidden=(), classes=2)
    options = {"Adam": {"lr": 0.05}, "SGD": {"lr": 0.1, "momentum": 0.9}}[optimizer]

    def make(parameters: Any) -> Any:
        return getattr(torch.optim, optimizer)(parameters, **options)

    start = list(initial_arrays(factory, seed=0).values())

    def train(steps: int, rounds: int, *, keep: bool) -> list[Any]:
        training = LocalTraining(
            steps=steps, batch_size=64, optimizer=make, keep_optimizer=keep
        )
        where, arrays = context(), start
        for round_ in range(1, rounds + 1):
            arrays = client(factory, training, where).fit(arrays, {"server-round": round_})[0]
        assert (OPTIMIZER in where.state) == keep
        return arrays

    whole = train(6, 1, keep=True)
    parts, forgetful = train(3, 2, keep=True), train(3, 2, keep=False)
    for one, other, without in zip(whole, parts, forgetful, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert not np.allclose(one, without, rtol=1e-3)


def test_another_optimisers_state_is_refused() -> None:
    def momentum(parameters: Any) -> Any:
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)

    training = LocalTraining(optimizer=momentum, keep_optimizer=True)
    where = context()
    deep, shallow = mlp(4, hidden=(3,), classes=2), mlp(4, hidden=(), classes=2)
    client(deep, training, where).fit(
        list(initial_arrays(deep, seed=0).values()), {"server-round": 1}
    )
    with pytest.raises(CheckpointError, match="optimiser"):
        client(shallow, training, where).fit(
            list(initial_arrays(shallow, seed=0).values()), {"server-round": 1}
        )


def test_numbers_are_predicted_with_one_output() -> None:
    data = examples(regression=True)
    factory = mlp(4, hidden=(), classes=1)
    training = LocalTraining(epochs=30, learning_rate=0.05)
    one = client(factory, training, context(), data)
    arrays, _, metrics = one.fit(
        list(initial_arrays(factory, seed=0).values()), {"server-round": 1}
    )
    loss, count, told = one.evaluate(arrays, {})
    assert count == 64
    assert told["r2"] > 0.99  # type: ignore[operator]
    assert loss < 0.1
    assert set(metrics) == {"train-loss"}


def test_batch_norm_counts_its_batches_and_keeps_the_dtype() -> None:
    rng = np.random.default_rng(1)
    data = Examples(rng.normal(size=(40, 1, 8, 8)).astype(np.float32), rng.integers(0, 3, 40))
    factory = cnn((1, 8, 8), channels=(4,), classes=3)
    start = initial_arrays(factory, seed=0)
    one = client(factory, LocalTraining(batch_size=8), context(), data)
    arrays, _, _ = one.fit(list(start.values()), {"server-round": 1})
    trained = dict(zip(start, arrays, strict=True))
    assert trained["1.num_batches_tracked"] == 5
    assert trained["1.num_batches_tracked"].dtype == np.int64
    assert not np.array_equal(trained["1.running_mean"], start["1.running_mean"])


def test_mixed_precision_trains_and_the_model_stays_float32() -> None:
    factory = mlp(4, classes=2)
    start = list(initial_arrays(factory, seed=0).values())
    mixed = LocalTraining(epochs=5, precision="bfloat16")
    arrays = client(factory, mixed, context()).fit(start, {"server-round": 1})[0]
    full = client(factory, LocalTraining(epochs=5), context()).fit(start, {"server-round": 1})[
        0
    ]
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    assert not np.array_equal(arrays[0], full[0])
    np.testing.assert_allclose(arrays[0], full[0], atol=0.1)


def test_auto_uses_what_is_there() -> None:
    factory = mlp(4, classes=2)
    start = list(initial_arrays(factory, seed=0).values())
    training = LocalTraining(device="auto", precision="auto")
    arrays = client(factory, training, context()).fit(start, {"server-round": 1})[0]
    assert np.isfinite(arrays[0]).all()


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"precision": "int8"}])
def test_unknown_devices_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs one of"):
        LocalTraining(**wrong)


def test_a_model_of_which_nothing_travels_is_refused() -> None:
    with pytest.raises(ConfigError, match="travels"):
        initial_arrays(mlp(4), seed=0, travels=lambda name: False)

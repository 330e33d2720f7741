"""The torch client: hand-computed steps, the same bits everywhere, no trace left behind."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from flwr.app import Context
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from flower_messages import decoded, instruction, metrics_of, node
from parity_flwr.clients import (
    Examples,
    LocalTraining,
    TorchClient,
    evaluate_arrays,
    initial_arrays,
    mlp,
    parity_mods,
)
from parity_flwr.clients.torch_model import derive_seed, isolated
from parity_flwr.core.encoding import model_hash
from parity_flwr.errors import ConfigError, DataError, MissingExtraError

torch = pytest.importorskip("torch")

FACTORY = mlp(5, hidden=(4,), classes=3)


def blobs(count: int = 30) -> Examples:
    rng = np.random.default_rng(5)
    y = np.arange(count) % 3
    x = rng.normal(size=(count, 5)) + 2 * np.eye(5)[y]
    return Examples(x.astype(np.float32), y.astype(np.int64))


def client_of(
    context: Context | None = None, *, data: Examples | None = None, **training: Any
) -> TorchClient:
    data = blobs() if data is None else data
    return TorchClient(
        FACTORY,
        train=data,
        test=data,
        context=context or node(0),
        training=LocalTraining(**{"seed": 1, "batch_size": 8, **training}),
    )


def start() -> list[NDArray[Any]]:
    return list(initial_arrays(FACTORY, seed=3).values())


def digest(arrays: list[NDArray[Any]]) -> str:
    return model_hash({str(index): array for index, array in enumerate(arrays)})


def fit(client: TorchClient, server_round: int = 1, config: Any = None) -> list[NDArray[Any]]:
    return client.fit(start(), {"server-round": server_round, **(config or {})})[0]


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_one_full_batch_step_is_gradient_descent() -> None:
    data, rate = blobs(6), 0.5
    factory = mlp(5, hidden=(), classes=3)
    begin = list(initial_arrays(factory, seed=0).values())
    weight, bias = (array.astype(np.float64) for array in begin)
    probabilities = softmax(data.x @ weight.T + bias)
    loss = -np.log(probabilities[np.arange(6), data.y]).mean()
    error = (probabilities - np.eye(3)[data.y]) / 6
    training = LocalTraining(epochs=1, batch_size=6, learning_rate=rate)
    client = TorchClient(factory, train=data, test=data, context=node(), training=training)
    (new_weight, new_bias), count, metrics = client.fit(begin, {"server-round": 1})
    np.testing.assert_allclose(
        new_weight, weight - rate * error.T @ data.x, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(new_bias, bias - rate * error.sum(axis=0), rtol=1e-5, atol=1e-6)
    assert count == 6
    assert metrics == {"train-loss": pytest.approx(loss, rel=1e-5)}


def test_evaluate_gives_cross_entropy_and_accuracy() -> None:
    data = blobs(9)
    arrays = initial_arrays(mlp(5, hidden=(), classes=3), seed=0)
    weight, bias = arrays.values()
    probabilities = softmax(data.x @ weight.T + bias)
    loss, accuracy = evaluate_arrays(mlp(5, hidden=(), classes=3), arrays, data)
    assert loss == pytest.approx(-np.log(probabilities[np.arange(9), data.y]).mean(), rel=1e-5)
    assert accuracy == (probabilities.argmax(axis=1) == data.y).mean()


def test_training_learns() -> None:
    client = client_of(epochs=20)
    before = client.evaluate(start(), {})
    after = client.evaluate(fit(client), {})
    assert after[0] < before[0] / 2
    assert float(after[2]["accuracy"]) > 0.8


def test_the_result_is_a_function_of_seed_round_and_partition() -> None:
    base = digest(fit(client_of()))
    client = client_of()
    fit(client, 7)
    assert digest(fit(client)) == base  # what the client did before does not matter
    others = [fit(client_of(), 2), fit(client_of(node(1))), fit(client_of(seed=2))]
    assert len({base, *map(digest, others)}) == 4


def test_global_random_state_is_neither_read_nor_changed() -> None:
    torch.manual_seed(0)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    first = fit(client_of())
    initial_arrays(FACTORY, seed=9)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    torch.manual_seed(99)
    assert digest(fit(client_of())) == digest(first)


def test_state_and_threads_are_put_back_after_an_error() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()

    def fail() -> None:
        with isolated(seed=1, threads=2):
            torch.rand(3)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_dropout_draws_from_the_client_s_seed() -> None:
    def factory() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Dropout(0.5))

    def run(seed: int) -> str:
        torch.manual_seed(seed)
        client = TorchClient(factory, train=blobs(), test=blobs(), context=node())
        arrays = list(initial_arrays(factory, seed=0).values())
        return digest(client.fit(arrays, {"server-round": 1})[0])

    assert run(1) == run(2)


@pytest.mark.slow
def test_another_process_with_other_threads_gets_the_same_bits() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); import torch, test_clients_torch as t; "
        "torch.set_num_threads(2); torch.manual_seed(5); print(t.digest(t.fit(t.client_of())))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_root())
    assert result.stdout.split()[-1] == digest(fit(client_of()))


def _root() -> str:
    return str(__file__).rsplit("/tests/", 1)[0]


@pytest.mark.usefixtures("task_identity")
def test_names_survive_the_adapter() -> None:
    app = ClientApp(lambda context: client_of(context).to_client(), mods=parity_mods())
    arrays = initial_arrays(FACTORY, seed=3)
    reply = app(instruction(arrays), node(0))
    returned = decoded(reply)
    assert list(returned) == list(arrays) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert digest(list(returned.values())) == digest(fit(client_of()))
    assert set(metrics_of(reply)) == {"num-examples", "train-loss"}
    evaluated = metrics_of(app(instruction(arrays, kind="evaluate"), node(0)))
    assert set(evaluated) == {"num-examples", "loss", "accuracy"}


def test_batch_norm_counters_keep_their_dtype() -> None:
    def factory() -> Any:
        return torch.nn.Sequential(torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3))

    client = TorchClient(factory, train=blobs(), test=blobs(), context=node())
    begin = initial_arrays(factory, seed=0)
    after, _, _ = client.fit(list(begin.values()), {})
    counter = dict(zip(begin, after, strict=True))["0.num_batches_tracked"]
    assert counter.dtype == np.int64
    assert counter == 1


@pytest.mark.parametrize(("steps", "expected"), [(0, 0), (1, 8), (5, 8 * 3 + 6 + 8)])
def test_steps_replace_epochs(steps: int, expected: int) -> None:
    seen: list[int] = []

    def loss(output: Any, target: Any) -> Any:
        seen.append(len(target))
        return torch.nn.functional.cross_entropy(output, target)

    after = fit(client_of(steps=steps, epochs=0, loss=loss))
    assert sum(seen) == expected
    assert (digest(after) == digest(start())) == (steps == 0)


def test_zero_epochs_or_no_examples_return_the_model() -> None:
    assert digest(fit(client_of(epochs=0))) == digest(start())
    empty = Examples(np.zeros((0, 5), dtype=np.float32), np.zeros(0, dtype=np.int64))
    client = client_of(data=empty)
    arrays, count, metrics = client.fit(start(), {})
    assert (digest(arrays), count, metrics) == (digest(start()), 0, {"train-loss": 0.0})
    assert client.evaluate(start(), {}) == (0.0, 0, {"accuracy": 0.0})


def test_fedprox_pulls_towards_the_received_model() -> None:
    def moved(mu: float) -> float:
        config = {"proximal-mu": mu} if mu else {}
        pairs = zip(fit(client_of(epochs=3), config=config), start(), strict=True)
        return float(sum(np.abs(new - old).sum() for new, old in pairs))

    assert moved(5.0) < moved(0.5) < moved(0.0)


def test_optimizer_factory_is_used() -> None:
    def adam(parameters: Any) -> Any:
        return torch.optim.Adam(parameters, lr=0.01)

    assert digest(fit(client_of(optimizer=adam))) != digest(fit(client_of()))


def test_labels_flip_only_on_the_node_s_own_word() -> None:
    data = blobs()
    flipped = Examples(data.x, 2 - data.y)
    attacked = fit(client_of(node(0, {"parity-flip-labels": 3})))
    assert digest(attacked) == digest(fit(client_of(data=flipped)))
    assert digest(fit(client_of(), config={"parity-flip-labels": 3})) == digest(
        fit(client_of())
    )


def test_received_arrays_are_not_changed() -> None:
    arrays = start()
    for array in arrays:
        array.flags.writeable = False
    client_of().fit(arrays, {})
    assert digest(arrays) == digest(start())


@pytest.mark.parametrize("wrong", [[], start()[:-1], [a.ravel() for a in start()]])
def test_arrays_of_another_model_are_refused(wrong: list[NDArray[Any]]) -> None:
    with pytest.raises(ConfigError, match="the model needs arrays of shapes"):
        client_of().fit(wrong, {})


@pytest.mark.parametrize(
    "bad",
    [
        {"seed": -1},
        {"epochs": -1},
        {"steps": -1},
        {"batch_size": 0},
        {"threads": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
    ],
)
def test_training_out_of_range_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(bad))} needs"):
        LocalTraining(**bad)


def test_examples_need_one_label_each() -> None:
    with pytest.raises(DataError, match="3 inputs and 2 labels"):
        Examples(np.zeros((3, 1), dtype=np.float32), np.zeros(2, dtype=np.int64))


def test_missing_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"parity-flwr\[torch\]"):
        client_of()


def test_importing_the_clients_does_not_import_torch() -> None:
    code = "import sys, parity_flwr.clients; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.split()[-1] == b"False"


def test_seeds_depend_on_every_part_and_its_place() -> None:
    seeds = {derive_seed(*parts) for parts in [(1, 2, 3), (1, 3, 2), (1, 2), (2, 2, 3), (1,)]}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**64 for seed in seeds)

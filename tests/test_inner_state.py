"""The inner strategy: pinned, its server optimiser saved and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideFixedClipping,
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedYogi,
    Strategy,
)

from parity_flwr.errors import ConfigError, RunError
from parity_flwr.strategies import Reputation, Sampling
from parity_flwr.strategies.inner import PinnedGrid, pin, setting
from parity_flwr.strategies.inner_state import Snapshot, load_state, save_state
from trust_runs import MODEL, Arrays, ListJournal, client_app, run

MAKERS: dict[str, Callable[[], Strategy]] = {
    "FedAdam": FedAdam,
    "FedAdagrad": FedAdagrad,
    "FedYogi": FedYogi,
    "FedAvgM": lambda: FedAvgM(server_momentum=0.9),
}
SCALARS: Arrays = {
    "z|w": np.linspace(0, 1, 7),
    "a.b": np.array(0.5),  # no dimensions: numpy's arithmetic makes scalars of these
    "steps": np.array(3, np.int64),
}


def trained(make: Callable[[], Strategy], model: Arrays = SCALARS) -> Strategy:
    strategy = Reputation(make(), seed=1, journal=None)
    run(strategy, model=model, rounds=2)
    return strategy.inner


def flat(state: dict[str, Any]) -> dict[str, bytes]:
    return {path: array.tobytes() + str(array.dtype).encode() for path, array in state.items()}


@pytest.mark.parametrize("name", MAKERS)
def test_optimiser_s_state_survives(name: str) -> None:
    inner = trained(MAKERS[name])
    saved = save_state(inner)
    fresh = MAKERS[name]()
    load_state(fresh, {path: np.array(array) for path, array in saved.items()})
    assert flat(save_state(fresh)) == flat(saved)
    kept = ["momentum_vector"] if name == "FedAvgM" else ["m_t", "v_t"]
    for attribute in kept:
        held = getattr(fresh, attribute)
        assert len(held) == len(SCALARS)
        assert isinstance(held, type(getattr(inner, attribute)))


@pytest.mark.parametrize("name", MAKERS)
def test_order_of_the_saved_arrays_does_not_matter(name: str) -> None:
    saved = save_state(trained(MAKERS[name]))
    fresh = MAKERS[name]()
    load_state(fresh, dict(reversed(saved.items())))
    assert list(flat(save_state(fresh)).items()) == list(flat(saved).items()) or (
        flat(save_state(fresh)) == flat(saved)
    )
    held = vars(fresh)["current_arrays"]
    assert list(held) == list(SCALARS)


def test_eleven_arrays_come_back_in_order() -> None:
    strategy = FedAvgM(server_momentum=0.9)
    strategy.momentum_vector = [np.full(1, float(k)) for k in range(11)]
    fresh = FedAvgM(server_momentum=0.9)
    load_state(fresh, dict(sorted(save_state(strategy).items())))
    assert fresh.momentum_vector is not None
    assert [float(array[0]) for array in fresh.momentum_vector] == list(range(11))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "array",
        "array|",
        "array|nothing|0|",
        "array|__class__|0|",
        "array|aggregate_train|0|",
        "array|fraction_train|0|",  # an option, not state
        "dict|weighted_by_key|0|",
        "pickle|m_t|0|",
        "list|m_t.x|0|",
        "dict|strategy.m_t|0|",
        "m_t",
    ],
)
def test_hostile_names_are_refused_and_change_nothing(path: str) -> None:
    strategy = FedAdam()
    before = dict(vars(strategy))
    with pytest.raises(ConfigError, match="the strategy that the run was started with"):
        load_state(strategy, {path: np.zeros(1)})
    assert vars(strategy) == before


def test_hostile_index_is_read_as_none() -> None:
    strategy = FedAdam()
    load_state(
        strategy, {"dict|m_t|" + "9" * 99 + "|w": np.zeros(1), "dict|m_t|x|v": np.ones(1)}
    )
    assert strategy.m_t is not None
    assert set(strategy.m_t) == {"w", "v"}


def test_another_strategy_s_state_is_refused() -> None:
    saved = save_state(trained(MAKERS["FedAdam"]))
    with pytest.raises(ConfigError, match="FedAvg without the state"):
        load_state(FedAvg(), saved)


def test_state_of_a_wrapped_strategy_is_saved_too() -> None:
    inner = FedAdam(weighted_by_key="n", fraction_train=0.5, min_train_nodes=3)
    outer = DifferentialPrivacyServerSideFixedClipping(inner, 1.0, 1.0, 5)
    inner.m_t = {"w": np.ones(2)}
    saved = save_state(outer)
    assert list(saved) == ["dict|strategy.m_t|0|w"]
    other = FedAdam()
    load_state(DifferentialPrivacyServerSideFixedClipping(other, 1.0, 1.0, 5), saved)
    assert other.m_t is not None
    np.testing.assert_array_equal(other.m_t["w"], np.ones(2))
    assert setting(outer, "weighted_by_key", "num-examples") == "n"
    assert setting(outer, "unknown", 7) == 7
    assert Sampling.of(outer).min_train_nodes == 3


def test_pin_copies_and_takes_everybody() -> None:
    wrapped = FedAvg(fraction_train=0.5, fraction_evaluate=0.0, min_available_nodes=9)
    inner = DifferentialPrivacyServerSideFixedClipping(wrapped, 1.0, 1.0, 5)
    before = dict(vars(wrapped))
    pinned = pin(inner)
    assert setting(pinned, "fraction_train", None) == 1.0
    assert setting(pinned, "fraction_evaluate", None) == 1.0
    assert setting(pinned, "min_available_nodes", None) == 0
    assert vars(wrapped) == before
    assert inner.strategy is wrapped


def test_snapshot_puts_back_what_was_and_removes_what_was_not() -> None:
    inner = FedAdam()
    outer = DifferentialPrivacyServerSideFixedClipping(inner, 1.0, 1.0, 5)
    before = Snapshot.of(outer)
    inner.m_t, outer.clipping_norm = {"w": np.ones(1)}, 2.0
    vars(inner)["new"] = 1
    before.restore()
    assert inner.m_t is None
    assert outer.clipping_norm == 1.0
    assert not hasattr(inner, "new")


def test_checkpoint_of_a_run_holds_the_optimiser() -> None:
    journal = ListJournal()
    run(Reputation(FedAdam(), seed=1, journal=journal), rounds=1)
    names = {path.split("|")[1] for path in journal.checkpoints[0].inner}
    assert names == {"current_arrays", "m_t", "v_t"}
    assert {path.split("|")[3] for path in journal.checkpoints[0].inner} == set(MODEL)


def test_inner_strategy_sees_the_selected_nodes_only() -> None:
    from parity_flwr.app.engines.inprocess import InProcessGrid

    with InProcessGrid(client_app(), 5) as grid:
        pinned = PinnedGrid(grid, [1001, 1003])
        assert list(pinned.get_node_ids()) == [1001, 1003]
        assert [info.node_id for info in pinned.get_nodes()] == [1001, 1003]
        assert pinned.run is grid.run


def test_inner_strategy_that_waits_for_more_nodes_is_told_so() -> None:
    class Patient(FedAvg):
        def configure_train(
            self, server_round: int, arrays: Any, config: Any, grid: Any
        ) -> Any:
            while len(list(grid.get_node_ids())) < 99:
                pass
            return []

    with pytest.raises(RunError, match="waits for more nodes than were selected; got 5 nodes"):
        run(Reputation(Patient(), seed=1, journal=None))

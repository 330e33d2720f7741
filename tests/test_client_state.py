"""The clients' state of an in-process run: saved and put back, all of it or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from hypothesis import given
from hypothesis import strategies as st

from inprocess_clients import add_partition, app_of, ask, model
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.core.protocols import ClientStateStore
from parity_flwr.errors import CheckpointError


def counts(grid: InProcessGrid) -> list[int]:
    contexts = grid._contexts.values()
    return [int(c.state.metric_records["calls"]["count"]) for c in contexts]  # type: ignore[arg-type]


def test_client_state_goes_on_where_it_was_saved() -> None:
    with InProcessGrid(app_of(add_partition), 3) as grid:
        assert isinstance(grid, ClientStateStore)
        grid.send_and_receive(ask(grid))
        grid.send_and_receive(ask(grid)[:2])
        saved = grid.save_client_state()
    with InProcessGrid(app_of(add_partition), 3) as resumed:
        resumed.load_client_state(saved)
        assert resumed.save_client_state() == saved
        resumed.send_and_receive(ask(resumed))
        assert counts(resumed) == [3, 3, 2]


def test_every_kind_of_client_state_survives() -> None:
    state = RecordDict(
        {
            "arrays": ArrayRecord({"w": Array(np.arange(4, dtype=np.float16))}),
            "config": ConfigRecord(
                {"a": True, "b": 2**63, "c": -0.1, "d": "\u00e9", "e": b"\0\xff", "f": [0.5]}
            ),
            "empty": MetricRecord(),
        }
    )
    grid = InProcessGrid(ClientApp(), 1)
    grid._contexts[1000].state = state
    other = InProcessGrid(ClientApp(), 1)
    other.load_client_state(grid.save_client_state())
    assert other._contexts[1000].state == state


@given(st.binary(max_size=200))
def test_garbage_is_no_client_state(data: bytes) -> None:
    grid = InProcessGrid(ClientApp(), 1)
    grid._contexts[1000].state = model()
    with pytest.raises(CheckpointError):
        grid.load_client_state(data)
    assert grid._contexts[1000].state == model()


@given(st.integers(min_value=0), st.integers(0, 255))
def test_damaged_client_state_is_all_or_nothing(position: int, value: int) -> None:
    grid = InProcessGrid(ClientApp(), 2)
    saved = bytearray(grid.save_client_state())
    for context in grid._contexts.values():
        context.state = model()
    saved[position % len(saved)] = value
    try:
        grid.load_client_state(bytes(saved))
    except CheckpointError:
        assert [context.state for context in grid._contexts.values()] == [model()] * 2


@pytest.mark.parametrize("others", [1, 3])
def test_the_state_of_other_clients_is_refused(others: int) -> None:
    saved = InProcessGrid(ClientApp(), others).save_client_state()
    with pytest.raises(CheckpointError, match="the state of 2 clients"):
        InProcessGrid(ClientApp(), 2).load_client_state(saved)

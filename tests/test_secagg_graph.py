"""Sparse graphs: regular, fixed by a seed, safe by the stated bounds, and exact sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity_flwr.core.secagg.graph import needed_degree, neighbours, ring_order, weakest_cut
from parity_flwr.core.secagg.opening import Opened
from secagg_sessions import opened, summed, until_masked


@pytest.mark.parametrize("stage", ["share", "mask", "unmask"])
def test_sparse_graph_sums_exactly_when_three_of_ten_drop_out(stage: str) -> None:
    gone = range(100, 112)
    made, dealt = until_masked(40, degree=needed_degree(40), absent={stage: gone})
    assert not dealt.participants.is_complete
    done = summed(made, dealt)
    outcome = opened(made, done, gone if stage == "unmask" else ())
    assert isinstance(outcome, Opened)
    assert np.array_equal(outcome.words, made.expected(done.survivors))


@given(st.integers(3, 60), st.integers(0, 70), st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_graph_is_regular_and_mutual(count: int, degree: int, seed: bytes) -> None:
    found = neighbours(count, degree=degree, seed=seed)
    expected = min(2 * ((degree + 1) // 2), count - 1) if degree else count - 1
    for own, others in enumerate(found):
        assert len(others) == len(set(others)) == expected
        assert own not in others
        assert all(own in found[other] for other in others)


def test_graph_depends_on_the_seed() -> None:
    assert neighbours(50, degree=10, seed=bytes(32)) != neighbours(
        50, degree=10, seed=b"1" * 32
    )


def test_needed_degree_grows_slowly_and_is_enough() -> None:
    """Against a simulation: nobody among 1,000 has a majority of colluders around it."""
    degree = needed_degree(1000)
    assert 100 < degree < 300
    assert needed_degree(4) == 3
    rng = np.random.default_rng(0)
    bad = rng.permutation(1000) < 200
    for seed in range(20):
        graph = neighbours(1000, degree=degree, seed=seed.to_bytes(32, "big"))
        most = max(int(bad[list(others)].sum()) for others in graph)
        assert most < (degree + 1) // 2 + 1


@given(st.integers(8, 30), st.integers(2, 10), st.binary(min_size=32, max_size=32), st.data())
@settings(max_examples=60)
def test_fewer_than_the_weakest_cut_never_part_the_ring(
    count: int, degree: int, seed: bytes, data: st.DataObject
) -> None:
    """And some that many do, where there is a cut at all."""
    present = data.draw(st.sets(st.integers(0, count - 1), min_size=2))
    cut = weakest_cut(count, degree=degree, seed=seed, present=present)
    graph = neighbours(count, degree=degree, seed=seed)
    some = data.draw(st.permutations(sorted(present)))[: max(0, cut - 1)]
    assert cut == 0 or parts(graph, present - set(some)) <= 1
    if cut < count:
        order = ring_order(count, seed)
        half = len(graph[0]) // 2
        pairs = (
            {order[(k + i) % count] for k in (one, other) for i in range(half)}
            for one in range(count)
            for other in range(one + half + 1, one + count - half)
        )
        assert cut == min(len(pair & present) for pair in pairs)


def parts(graph: tuple[tuple[int, ...], ...], members: set[int]) -> int:
    """Count connected parts, one by one."""
    found, left = 0, set(members)
    while left:
        found, reached = found + 1, [left.pop()]
        while reached:
            reached += (near := set(graph[reached.pop()]) & left)
            left -= near
    return found

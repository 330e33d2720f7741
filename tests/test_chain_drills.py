"""The bridge's drills, small; ``tests/drill_chain.py`` runs them in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from anvil_node import Anvil
from chain_crash import STATES
from chain_drills import faults, kills, reorgs


@pytest.mark.slow
def test_kills_in_six_states_pay_exactly_once(anvil: Anvil, tmp_path: Path) -> None:
    assert kills(anvil, tmp_path, times=2) == 2 * len(STATES)


@pytest.mark.slow
def test_reorganisations_leave_index_and_outbox_right(anvil: Anvil, tmp_path: Path) -> None:
    assert reorgs(anvil, tmp_path, depths=[1, 2, 3, 4, 5], seed=1) == 5


@pytest.mark.slow
def test_a_third_of_failures_pays_exactly_once(anvil: Anvil, tmp_path: Path) -> None:
    assert 0.2 < faults(anvil, tmp_path, operations=40, share=0.3, seed=3) < 0.4

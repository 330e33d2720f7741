"""Every strategy with every mechanism and rule: it runs with a guarantee, or is refused."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, RecordDict
from flwr.client.mod import secagg_mod, secaggplus_mod
from flwr.clientapp.mod import LocalDpMod, adaptiveclipping_mod, fixedclipping_mod
from flwr.serverapp.strategy import FedAvg

from composition_cases import (
    HELD,
    INNER,
    OUTER,
    SIGNERS,
    WRAPPERS,
    client_app,
    composition_table,
    model,
    pairs,
    refusal,
)
from parity_flwr.app.engines.inprocess import InProcessGrid
from parity_flwr.clients import EncryptionMod, LocalDPMod, SecAggMod, parity_mods
from parity_flwr.core.privacy.combinations import NoisePlace
from parity_flwr.core.privacy.foreign import FOREIGN_PARTS, foreign_part, foreign_table
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.composition import combination_of, guarantee_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "privacy.md"
pytest.importorskip("tenseal")


@pytest.mark.parametrize("local", [False, True], ids=["bare", "local DP"])
@pytest.mark.parametrize(("outer", "kind", "name"), list(pairs()))
def test_it_runs_with_a_guarantee_or_is_refused_with_a_reason(
    outer: str, kind: str, name: str, local: bool
) -> None:
    error = refusal(outer, kind, name)
    if error is not None:
        assert error.needed
        assert error.action
        return
    strategy: Any = OUTER[outer](INNER[kind][name]())
    said = guarantee_of(strategy)
    combination = combination_of(strategy)
    assert "server sees" in said
    assert ("epsilon" in said) == (combination.dp is NoisePlace.CENTRAL)
    voting = outer == "ReputationConsensus"
    app = client_app(combination.hiding, local=local, voting=voting)
    with InProcessGrid(app, 6) as grid:
        result = strategy.start(grid, model(), num_rounds=1)
    moved = result.arrays["w"].numpy()
    assert np.isfinite(moved).all()
    # QFedAvg weighs by the clients' losses, which local DP keeps back: the model stays.
    assert (np.abs(moved).max() > 0) is not (name == "QFedAvg" and local)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("outer", OUTER)
def test_flower_s_wrapper_around_ours_is_refused_before_anything_is_sent(
    outer: str, wrapper: str
) -> None:
    ours = OUTER[outer](FedAvg())
    app = client_app(combination_of(ours).hiding)
    with InProcessGrid(app, 6) as grid, pytest.raises(ConfigError, match="DPFedAvg"):
        WRAPPERS[wrapper](ours).start(grid, model(), num_rounds=1)
    with pytest.raises(ConfigError, match="cannot hold beside"):
        guarantee_of(WRAPPERS[wrapper](OUTER[outer](FedAvg())))


def test_the_same_run_without_the_wrapper_is_not_refused() -> None:
    with InProcessGrid(client_app(combination_of(FedAvg()).hiding), 6) as grid:
        OUTER["Reputation"](FedAvg()).start(grid, model(), num_rounds=1)


LOCAL = LocalDPMod(LocalPrivacy(epsilon=8.0, delta=1e-5, clip=1.0, rounds=3))
MASK, ENCRYPT = SecAggMod(SIGNERS), EncryptionMod(HELD)


@pytest.mark.parametrize(
    ("mods", "reason"),
    [
        ([LocalDpMod(1.0, 0.0, 0.0, 1.0)], "any sensitivity"),
        ([fixedclipping_mod], "clips for a DP wrapper"),
        ([adaptiveclipping_mod], "clips for a DP wrapper"),
        ([secagg_mod], "masks can be computed"),
        ([secaggplus_mod], "masks can be computed"),
        ([functools.partial(secaggplus_mod)], "masks can be computed"),
        ([LOCAL, secaggplus_mod], "masks can be computed"),
        ([MASK, ENCRYPT], "hidden once"),
        ([LOCAL, MASK], "before it is hidden"),
        ([LOCAL, ENCRYPT], "before it is hidden"),
        ([MASK, LOCAL, LOCAL], "one mod that adds noise"),
    ],
)
def test_mods_that_do_not_go_together_are_refused(mods: list[Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parity_mods(inner=mods)


@pytest.mark.parametrize("mods", [[], [LOCAL], [MASK], [MASK, LOCAL], [ENCRYPT, LOCAL]])
def test_mods_that_go_together_are_taken(mods: list[Any]) -> None:
    assert [each for each in parity_mods(inner=mods) if each in mods] == mods


def test_only_flower_s_parts_are_told_by_their_names() -> None:
    class LocalDpMod:  # somebody's own, of the same name
        pass

    assert foreign_part(LocalDpMod()) is None
    assert foreign_part(Context(1, 1, {}, RecordDict(), {})) is None
    names = {each.name for each in FOREIGN_PARTS}
    wrappers = {name for name in names if name.startswith("DifferentialPrivacy")}
    found = {f"DifferentialPrivacy{name}Clipping" for name in INNER["Flower's DP wrapper"]}
    assert wrappers == found


@pytest.mark.repository
@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree")
def test_the_page_prints_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for table in (foreign_table(), composition_table()):
        assert table in page, f"docs/privacy.md needs this table:\n{table}"

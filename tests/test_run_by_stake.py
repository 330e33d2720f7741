"""Runs that pay by stake (S of P-28), from registration to a member's own claim."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anvil_node import FUNDED
from apps_made import make_app
from ipfs_servers import Node, serving
from parity_flwr.app.chains import opened
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.staking import MemberStakes, staked_members
from parity_flwr.app.chains.summary import chain_summary, earnings
from parity_flwr.app.chains.terms import RunTerms, read_terms, write_terms
from parity_flwr.app.journal import open_journal
from parity_flwr.app.runs.folder import RunFolder, all_runs
from parity_flwr.cli.main import execute
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.core.economy.claims import RewardConfig
from stake_cases import Federation, as_member, node_of

pytest.importorskip("eth")

NAMES = ("client-1", "client-2", "client-3")


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.slow)])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Federation]:
    """Return a federation whose members are registered, and have nothing at stake yet."""
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)
    with node_of(request.param) as (node, url):
        members = tmp_path / "members.json"
        found = Federation(node, url, tmp_path / "parity-home", members)
        found.deploy(*NAMES)
        assert execute(["chain", "register", str(members), "--chain", url]) == 0
        yield found


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return an app of two rounds, in which client-0 sends NaN."""
    return make_app(tmp_path / "app")


@pytest.fixture
def ipfs(tmp_path: Path) -> Iterator[str]:
    """Return the URL of an IPFS node's RPC."""
    with serving(Node(tmp_path / "ipfs")) as url:
        yield url


def run(made: Federation, app: Path, *options: str) -> int:
    where = ["--chain", made.url, "--members", str(made.members), *options]
    return execute(
        ["run", str(app), "--engine", "inprocess", "--clients", "4", "--quiet", *where]
    )


def the_run(made: Federation) -> RunFolder:
    (found,) = all_runs(made.home)
    return found


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def lines_of(found: Any) -> dict[str, Any]:
    return {line["name"]: line for line in found["lines"]}


def test_a_run_pays_by_stake_and_members_claim_from_a_bundle(
    made: Federation,
    app: Path,
    ipfs: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = json_of(capsys, "chain", "register", str(made.members), "--chain", made.url)
    assert (again["members"], again["registered"]) == (3, [])
    made.stake(monkeypatch, "client-1", "300")
    made.stake(monkeypatch, "client-2", "100")
    monkeypatch.setenv("PARITY_IPFS_URL", ipfs)
    assert run(made, app, "--by-stake") == 0
    made.stake(monkeypatch, "client-3", "900")  # too late for this run

    folder = the_run(made)
    journal = open_journal(folder)
    terms = read_terms(ChainPlaces(folder.path))
    assert terms is not None
    assert terms.rewards.stakes == {"client-1": 300 * UNIT, "client-2": 100 * UNIT}
    records = journal.rounds()
    earned = earnings(records, terms.rewards).earned
    alike = earnings(records, RewardConfig()).earned
    assert earned.keys() == {"client-1", "client-2"}
    assert alike.keys() == set(NAMES)
    # Both sent sound replies, so that only the stakes tell them apart.
    assert earned["client-1"] + earned["client-2"] == 2 * 1000 * UNIT
    ratio = earned["client-1"] * alike["client-2"] / earned["client-2"] / alike["client-1"]
    assert ratio == pytest.approx(3.0, rel=1e-3)
    summary = chain_summary(journal)
    assert summary is not None
    assert summary.rewards.earned == earned

    found = lines_of(json_of(capsys, "verify", "latest", "--chain", made.url))
    assert found["chain record"]["ok"]
    assert found["stakes"]["ok"]
    assert found["stakes"]["detail"].startswith("3 members count with what the chain")
    bundle = tmp_path / "run.parity"
    assert execute(["bundle", "latest", "--output", str(bundle), "--chain", made.url]) == 0
    offline = lines_of(json_of(capsys, "verify", "--bundle", str(bundle)))
    assert offline["stakes"]["ok"]
    assert "as the bundle says" in offline["stakes"]["detail"]

    # The member has its wallet and the bundle: no folder of the run.
    with as_member(monkeypatch, made.wallets["client-1"]) as _, monkeypatch.context() as away:
        away.setenv("PARITY_HOME", str(tmp_path / "elsewhere"))
        command = ["claim", "--bundle", str(bundle), "--chain", made.url]
        paid = json_of(capsys, *command)
        assert (paid["identity"], paid["account"]) == (
            "client-1",
            made.wallets["client-1"].address,
        )
        assert Decimal(paid["paid"]) * UNIT == earned["client-1"]
        assert "tokens up to round" in json_of(capsys, *command, code=2)["error"]["got"]
    # Or the deployment's file and an IPFS node, which has the list under the CID on chain.
    with as_member(monkeypatch, made.wallets["client-2"]):
        fetch = ["claim", "--deployment", str(made.deployed), "--chain", made.url]
        paid = json_of(capsys, *fetch)
        assert Decimal(paid["paid"]) * UNIT == earned["client-2"]
        monkeypatch.delenv("PARITY_IPFS_URL")
        assert "PARITY_IPFS_URL" in json_of(capsys, *fetch, code=2)["error"]["action"]
    # Anybody may send a claim; who has earned nothing has nothing to claim.
    json_of(capsys, *command, "--identity", "client-3", code=2)


def test_stakes_that_are_not_the_registrys_are_named(
    made: Federation,
    app: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made.stake(monkeypatch, "client-1", "300")
    made.stake(monkeypatch, "client-2", "100")
    # A publisher that forgets client-2, and pays consistently by what it says.
    monkeypatch.setattr(opened, "staked_members", forgetting("client-2"))
    assert run(made, app, "--by-stake") == 0
    places = ChainPlaces(the_run(made).path)
    right = read_terms(places)
    assert right is not None

    def said(terms: RunTerms) -> Any:
        write_terms(places, terms)
        found = lines_of(json_of(capsys, "verify", "latest", "--chain", made.url, code=1))
        assert found["stakes"]["ok"] is False
        # With one stake its size changes nobody's part, so that only this check can see it.
        assert found["chain record"]["ok"] is (len(terms.rewards.stakes) == 1)
        return found["stakes"]["detail"]

    def counting(**stakes: int) -> RewardConfig:
        by_name = {name.replace("_", "-"): amount for name, amount in stakes.items()}
        return replace(right.rewards, stakes=by_name)

    forgotten = f"'client-2' counts with 0, the registry had {100 * UNIT}"
    assert forgotten in said(right)
    more = replace(right, rewards=counting(client_1=400 * UNIT))
    assert "'client-1' counts with 4000" in said(more)
    both = counting(client_1=300 * UNIT, client_2=100 * UNIT)
    assert "one identity each" in said(replace(right, rewards=both))
    other = replace(right, staked={"client-1": "0x" + "11" * 32})
    assert "another identity" in said(other)
    assert "is not before round 1" in said(replace(right, stakes_block=10**6))
    assert "the registry had 0" in said(replace(right, stakes_block=0))


def forgetting(name: str) -> Callable[..., MemberStakes]:
    """Return a reader of stakes that leaves one member out."""

    def read(*arguments: Any) -> MemberStakes:
        found = staked_members(*arguments)
        return MemberStakes(
            amounts={key: value for key, value in found.amounts.items() if key != name},
            identities={key: value for key, value in found.identities.items() if key != name},
            block=found.block,
        )

    return read


def test_a_run_by_stake_needs_stakes(
    made: Federation, app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made, app, "--by-stake") == 2
    error = capsys.readouterr().err
    assert "3 members, none with a stake" in error
    assert all_runs(made.home) == []
    assert execute(["run", str(app), "--chain", made.url, "--by-stake"]) == 2
    assert "--by-stake needs --members" in capsys.readouterr().err
    assert execute(["run", str(app), "--by-stake"]) == 2
    assert "--by-stake needs a --chain" in capsys.readouterr().err


def test_a_claim_needs_one_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["claim", "--chain", "http://127.0.0.1:9"]) == 2
    assert "needs one of RUN, --bundle FILE and --deployment FILE" in capsys.readouterr().err

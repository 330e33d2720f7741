"""From the journal to the ledger's contract: every round once, in order, never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from anvil_node import Anvil
from chain_cases import ETHER, NOW, WALLET, Node, funded_node
from chain_rounds import POOL, deployed, recorded, settled, thousand, training
from faulty_proxy import FaultyProxy
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.core.anchoring import OutboxState
from parity_flwr.errors import ChainError, ConfigError


@pytest.fixture(params=["embedded", "anvil"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Give each of the two chains, with a funded wallet."""
    yield from funded_node(request)


def expected(files_of: dict[int, bytes], rounds: int) -> list[tuple[int, bytes, int]]:
    return [(n, files_of[n], n * POOL) for n in range(1, rounds + 1)]


def test_rounds_are_recorded_in_order_with_their_roots(node: Node, tmp_path: Path) -> None:
    deployment = deployed(node.chain, tmp_path)
    with training(node.chain, deployment, tmp_path) as run:
        for _ in range(4):
            assert run.round() < 5
        settled(run)
        roots = {number: tree.root for number, tree in run.files.trees.items()}
        gas = [row.gas_used for row in run.outbox.rows()]
    assert recorded(node.chain, deployment) == expected(roots, 4)
    assert all(used is not None and used < 110_000 for used in gas)
    assert all(used is not None and used < 90_000 for used in gas[1:])


def test_gas_of_rounds_is_equal_on_both_chains(anvil: Anvil, tmp_path: Path) -> None:
    used = []
    with EmbeddedChain() as embedded:
        embedded.fund(WALLET.address, ETHER)
        anvil.fund(WALLET.address, ETHER)
        chains: dict[str, Chain] = {"embedded": embedded, "anvil": anvil.chain()}
        for name, chain in chains.items():
            deployment = deployed(chain, tmp_path / name)
            with training(chain, deployment, tmp_path / name) as run:
                for _ in range(3):
                    run.round()
                settled(run)
                used.append([row.gas_used for row in run.outbox.rows()])
    # Calldata differs in hashes that hold the block's time: 12 gas for a byte that is 0.
    for one, other in zip(*used, strict=True):
        assert abs(one - other) <= 12 * 3


def test_a_resumed_run_goes_on_where_the_journal_is(node: Node, tmp_path: Path) -> None:
    deployment = deployed(node.chain, tmp_path)
    with training(node.chain, deployment, tmp_path) as run:
        run.round()
        settled(run)
    # Rounds that were committed while nobody published, as after a crash.
    with training(node.chain, deployment, tmp_path) as run:
        run.publisher.finish(timeout_s=0)
        run.round()
        run.round()
    with training(node.chain, deployment, tmp_path) as run:
        run.round()
        settled(run)
        roots = {number: tree.root for number, tree in run.files.trees.items()}
    found = recorded(node.chain, deployment)
    assert [each[0] for each in found] == [1, 2, 3, 4]
    assert [each[2] for each in found] == [POOL, 2 * POOL, 3 * POOL, 4 * POOL]
    assert roots.items() <= {number: root for number, root, _ in found}.items()


def test_an_empty_pool_stops_loudly_and_only_the_chain(node: Node, tmp_path: Path) -> None:
    deployment = deployed(node.chain, tmp_path)
    poor = Deployment(**{**deployment.__dict__})
    with training(node.chain, poor, tmp_path) as run:
        # The pool of a round is 1,000; the ledger refuses a total above what is funded.
        object.__setattr__(run.publisher._rewards, "pool", 10 * ETHER)
        assert run.round() < 5
        for _ in range(5000):
            if run.publisher.trouble:
                break
        assert run.round() < 5
        assert not run.publisher.finish(timeout_s=10)
        assert "round/1: reverted" in run.publisher.trouble
        (failed,) = run.outbox.failed()
    assert failed.state is OutboxState.FAILED
    assert recorded(node.chain, deployment) == []


def test_a_thread_that_fails_says_so_and_training_goes_on(tmp_path: Path) -> None:
    with EmbeddedChain() as chain:
        chain.fund(WALLET.address, ETHER)
        deployment = deployed(chain, tmp_path)
        with training(chain, deployment, tmp_path) as run:
            (tmp_path / "files").write_text("a file where a folder belongs")
            run.round()
            assert not run.publisher.wait(timeout_s=30)
            assert "an unexpected FileExistsError" in run.publisher.trouble
            run.round()
        (tmp_path / "files").unlink()
        with training(chain, deployment, tmp_path) as run:
            settled(run)
        assert [each[0] for each in recorded(chain, deployment)] == [1, 2]


def test_training_does_not_wait_for_a_dead_node(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    deployment = deployed(anvil.chain(), tmp_path)
    with FaultyProxy(anvil.url, share=0.0, seed=0) as proxy:
        chain = JsonRpcChain(proxy.url, expected_chain_id=deployment.chain_id)
        with training(chain, deployment, tmp_path) as run:
            run.round()
            settled(run)
            proxy.down = True
            waited = [run.round() for _ in range(5)]
            assert recorded(anvil.chain(), deployment)[-1][0] == 1
            assert not run.publisher.trouble
            proxy.down = False
            settled(run)
    assert max(waited) < 1.0
    assert [each[0] for each in recorded(anvil.chain(), deployment)] == list(range(1, 7))


def test_a_reorganisation_of_rounds_is_healed(anvil: Anvil, tmp_path: Path) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    deployment = deployed(chain, tmp_path)
    with training(chain, deployment, tmp_path, settings=replace(NOW, confirmations=4)) as run:
        for count in range(1, 5):
            run.round()
            _until_mined(run.outbox, count)
        anvil.reorg(3)
        # What is mined again is in blocks with other times, so the states differ.
        chain.request("evm_increaseTime", 100)
        for _ in range(20_000):
            if len(recorded(chain, deployment)) == 4:
                break
        anvil.mine(5)
        settled(run)
    found = recorded(chain, deployment)
    assert [each[0] for each in found] == [1, 2, 3, 4]


def test_what_a_pool_kept_through_a_reorganisation_is_sent_anew(
    anvil: Anvil, tmp_path: Path
) -> None:
    anvil.fund(WALLET.address, ETHER)
    chain = anvil.chain()
    deployment = deployed(chain, tmp_path)
    with training(chain, deployment, tmp_path, settings=replace(NOW, confirmations=4)) as run:
        for count in range(1, 5):
            run.round()
            _until_mined(run.outbox, count)
        kept = [["0x" + row.attempts[-1].raw.hex(), 2] for row in run.outbox.rows()[1:]]
        anvil.reorg(3, kept)
        for _ in range(2000):
            if run.outbox.counts() == {OutboxState.FINAL.value: 4}:
                break
            anvil.mine(1)
        settled(run)
    assert [each[0] for each in recorded(chain, deployment)] == [1, 2, 3, 4]


def _until_mined(outbox: SqlOutbox, count: int) -> None:
    for _ in range(20_000):
        if outbox.counts().get(OutboxState.MINED.value, 0) == count:
            return
    raise AssertionError("not mined")


def test_a_deployment_belongs_to_its_chain(tmp_path: Path) -> None:
    with EmbeddedChain() as chain, EmbeddedChain() as other:
        chain.fund(WALLET.address, ETHER)
        deployment = deployed(chain, tmp_path)
        deployment.check(chain)
        with pytest.raises(ChainError):
            deployment.check(other)
        assert Deployment.parse(deployment.to_json().encode()) == deployment


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"{" * 9999, b'{"version": 1, "chain_id": 1}', b"\xff"]
)
def test_what_is_no_deployment_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="parity chain deploy"):
        Deployment.parse(data)


@pytest.mark.slow
def test_time_a_round_stays_flat(tmp_path: Path) -> None:
    first, last = thousand(tmp_path, rounds=60, clients=20)
    assert last <= 2 * first

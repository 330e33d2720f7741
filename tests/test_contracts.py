"""The compiled contracts: files, deployment, hashes in Python and on chain, gas."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_tester.exceptions import TransactionFailed

from contract_chain import CAP, CID, DAY, TOKEN, Chain, address, leaves, tree
from parity_flwr.chain_bridge import contracts
from parity_flwr.chain_bridge.contracts import (
    CONTRACT_NAMES,
    artifact,
    consent_digest,
    genesis_state,
    identity_for,
    read_artifact,
    record_hash,
    state_hash,
)
from parity_flwr.core.merkle import MerkleTree
from parity_flwr.errors import ConfigError, RunError

KNOWN_CLAIM = 70_000
LATER_ROUND = 90_000


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


def test_every_artifact_says_what_it_was_compiled_from() -> None:
    for name in CONTRACT_NAMES:
        built = artifact(name)
        assert built.name == name
        assert built.source == f"src/{'bench/' if name == 'NaiveLedger' else ''}{name}.sol"
        assert built.compiler_version.startswith("0.8.37+commit.")
        assert built.settings["evmVersion"] == "cancun"
        assert built.settings["optimizer"] == {"enabled": True, "runs": 200}
        assert built.settings["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}
        assert len(built.deployed_bytecode) < 24_576
        assert re.fullmatch(r"[0-9a-f]{64}", built.source_sha256)
    assert len({artifact(name).source_sha256 for name in CONTRACT_NAMES}) == 1


def test_a_changed_or_missing_artifact_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(Path(contracts.__file__).parent / "artifacts", folder)
    assert read_artifact(folder, name="Rewards") == artifact("Rewards")
    file = folder / "Rewards.json"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(RunError, match=r"another hash.*make contracts"):
        read_artifact(folder, name="Rewards")
    file.unlink()
    with pytest.raises(RunError, match=r"Rewards\.json"):
        read_artifact(folder, name="Rewards")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="RoundLedger"):
        artifact("../../etc/passwd")
    with pytest.raises(ConfigError, match="updateReputationMetadata"):
        artifact("ReputationRegistry").entry("function", "updateReputationMetadata")


def test_deployment_ties_the_contracts_together(chain: Chain) -> None:
    assert chain.rewards.functions.ledger().call() == chain.ledger.address
    assert chain.rewards.functions.token().call() == chain.token.address
    assert chain.registry.functions.ledger().call() == chain.ledger.address
    assert chain.registry.functions.rewards().call() == chain.rewards.address
    assert chain.registry.functions.unbondingPeriod().call() == 30 * DAY
    assert chain.token.functions.cap().call() == CAP
    for contract in (chain.token, chain.ledger, chain.rewards, chain.registry):
        assert contract.functions.owner().call() == chain.accounts[0]


def test_hashes_in_python_are_those_on_chain(chain: Chain) -> None:
    functions = chain.ledger.functions
    genesis = genesis_state(chain.ledger.address, chain_id=chain.web3.eth.chain_id)
    assert functions.stateOf(0).call() == genesis
    root, model = b"\x01" * 32, b"\x02" * 32
    record = record_hash(
        round=1, previous=genesis, model_hash=model, total=0, model_cid=CID, scores_cid=b"x"
    )
    fields = (1, genesis, model, root, 0, CID, b"x")
    assert functions.recordHash(fields).call() == record
    receipt = chain.send(functions.recordRound(fields))
    (event,) = chain.ledger.events.RoundRecorded().process_receipt(receipt)
    state = state_hash(record, reward_root=root, active_at=event["args"]["activeAt"])
    assert functions.stateOf(1).call() == event["args"]["state"] == state
    assert event["args"]["modelCid"] == CID


def test_a_wallet_and_a_node_key_are_bound_by_two_signatures(chain: Chain) -> None:
    node, wallet = Ed25519PrivateKey.from_private_bytes(b"n" * 32), Account.from_key(b"w" * 32)
    key = node.public_key().public_bytes_raw()
    deadline = chain.now() + 1000
    digest = consent_digest(
        key,
        wallet=wallet.address,
        deadline=deadline,
        registry=chain.registry.address,
        chain_id=chain.web3.eth.chain_id,
    )
    functions = chain.registry.functions
    assert functions.consentDigest(key, wallet.address, deadline).call() == digest
    consent = Account.unsafe_sign_hash(digest, wallet.key).signature
    call = functions.register(key, wallet.address, deadline, consent, node.sign(digest))
    receipt = chain.send(call, sender=chain.accounts[5])
    (event,) = chain.registry.events.Registered().process_receipt(receipt)
    identity = identity_for(key, wallet=wallet.address)
    assert event["args"]["identity"] == identity
    assert functions.identityOf(wallet.address).call() == identity
    node.public_key().verify(event["args"]["nodeSignature"], digest)


def known_account_claim(chain: Chain, count: int) -> int:
    """Return the most gas that a claim costs an account that claimed before."""
    first, second = leaves(count, step=count), leaves(count, step=count + 1)
    used: list[int] = []
    for rows in (first, second):
        key, _ = chain.record(rows)
        chain.wait(chain.delay)
        made = tree(rows)
        for index in {0, count // 3, count - 1}:
            claim = chain.rewards.functions.claim(key, rows[index], made.proof(index))
            used.append(chain.send(claim, sender=chain.accounts[3])["gasUsed"])
    return max(used[len(used) // 2 :])


def test_gas_of_a_round_does_not_depend_on_the_participants() -> None:
    chain = Chain()
    chain.fund(10**9 * TOKEN)
    chain.record(leaves(10, step=1))
    rounds = {count: chain.record(leaves(count, step=2))[1] for count in (10, 100, 1000)}
    assert max(rounds.values()) <= LATER_ROUND
    assert max(rounds.values()) - min(rounds.values()) < 0.001 * min(rounds.values())
    assert known_account_claim(chain, 1000) <= KNOWN_CLAIM


def test_the_naive_loop_costs_more_the_more_participate() -> None:
    chain = Chain()
    naive = chain.deploy("NaiveLedger")
    used = {}
    for count in (10, 100):
        accounts = [address(i) for i in range(count)]
        for step in (1, 2):
            call = naive.functions.creditRound(accounts, [step] * count, [step] * count)
            used[count] = chain.send(call)["gasUsed"]
    assert used[10] > LATER_ROUND
    assert used[100] > 5 * used[10]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9, 33])
def test_the_contract_pays_by_the_proofs_that_python_builds(count: int) -> None:
    chain = Chain(delay=0)
    chain.fund(10**6 * TOKEN)
    rows = leaves(count, step=1)
    key, _ = chain.record(rows)
    made = tree(rows)
    for index, row in enumerate(rows):
        claim = chain.rewards.functions.claim(key, row, made.proof(index))
        chain.send(claim, sender=chain.accounts[4])
        assert chain.token.functions.balanceOf(row[1]).call() == row[3]
    assert chain.rewards.functions.totalClaimed().call() == sum(row[3] for row in rows)


def test_a_proof_of_another_leaf_pays_nothing() -> None:
    chain = Chain(delay=0)
    chain.fund(1000 * TOKEN)
    rows = leaves(5, step=1)
    key, _ = chain.record(rows)
    made: MerkleTree = tree(rows)
    forged: Any = (rows[0][0], chain.accounts[4], rows[0][2], rows[0][3])
    for row, proof in ((rows[0], made.proof(1)), (forged, made.proof(0))):
        with pytest.raises(TransactionFailed):
            chain.rewards.functions.claim(key, row, proof).call()

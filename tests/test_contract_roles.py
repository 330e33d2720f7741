"""Every function that changes state, called by everybody who has no business there."""

from __future__ import annotations

from typing import Any

import pytest

from contract_chain import GAS
from contract_roles import GOVERNED, MAY, Stage, outcome
from parity_flwr.chain_bridge.contracts import ContractName, artifact

FUNCTIONS = [(name, function) for name, table in MAY.items() for function in table]
# What even the right caller is told here, because the state or its means do not allow it.
NOT_NOW = {
    ("ParityToken", "permit"),  # the signature is nobody's
    ("ReputationRegistry", "unpause"),  # it is not paused
}
NEEDS_TOKENS = {"dispute", "fund", "deposit", "transfer", "transferFrom", "approve"}


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def changing(name: ContractName) -> list[str]:
    """Return the functions of the ABI that can change state."""
    return sorted(
        each["name"]
        for each in artifact(name).abi
        if each["type"] == "function" and each["stateMutability"] not in ("view", "pure")
    )


@pytest.mark.parametrize("name", MAY)
def test_the_table_names_every_function_that_changes_state(name: ContractName) -> None:
    refused_always = {"renounceOwnership"}  # pure where it only reverts
    assert sorted(set(MAY[name]) - refused_always) == sorted(
        set(changing(name)) - refused_always
    )
    assert all(each.get("stateMutability") != "payable" for each in artifact(name).abi)


@pytest.mark.parametrize("name", MAY)
def test_the_source_states_the_callers_of_the_table(name: ContractName) -> None:
    stated = {
        signature.partition("(")[0]: text for signature, text in artifact(name).callers.items()
    }
    inherited = {"transferOwnership", "acceptOwnership"}
    if name == "ParityToken":
        inherited |= {"transfer", "approve", "transferFrom", "permit", "renounceOwnership"}
    assert set(stated) == set(MAY[name]) - inherited
    for function, text in stated.items():
        assert text.replace(";", " ").split()[0] == MAY[name][function].split()[0]


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_the_one_who_may_does_and_outsiders_are_refused(
    stage: Stage, name: ContractName, function: str
) -> None:
    call, role = stage.call(name, function), MAY[name][function]
    if role != "nobody":
        expected = "reverted" if (name, function) in NOT_NOW else "done"
        assert outcome(call, stage.roles[role]) == expected
    for who, sender in stage.outsiders.items():
        came = outcome(call, sender)
        if role == "anyone":
            assert came != "refused", who
            broke = who in ("contract", "zero address") and function in NEEDS_TOKENS
            assert came == "done" or broke or (name, function) in NOT_NOW, who
        else:
            assert came == "refused", who


@pytest.mark.parametrize("name", MAY)
def test_other_roles_are_outsiders_too(stage: Stage, name: ContractName) -> None:
    for function, role in MAY[name].items():
        if role == "anyone":
            continue
        for other in ("owner", "publisher", "slasher", "pending owner", "wallet"):
            if other != role:
                assert outcome(stage.call(name, function), stage.roles[other]) == "refused"


@pytest.mark.parametrize("name", MAY)
def test_a_refused_transaction_changes_nothing(stage: Stage, name: ContractName) -> None:
    web3 = stage.chain.web3
    for function, role in MAY[name].items():
        if role == "anyone":
            continue
        for who in ("stranger", "client", "former admin"):
            call: Any = stage.call(name, function)
            sent = call.transact({"from": stage.outsiders[who], "gas": GAS // 8})
            receipt = web3.eth.get_transaction_receipt(sent)
            assert receipt["status"] == 0
            assert receipt["logs"] == []


def test_every_governed_contract_has_the_same_owner_functions() -> None:
    assert all(set(MAY[name]) >= set(GOVERNED) for name in MAY if name != "ParityToken")

"""Members whose wallets are contracts (ERC-1271), on both chains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from anvil_node import FUNDED
from chain_cases import sending
from parity_flwr.app.chains.members_file import (
    Consent,
    consent,
    contract_consent,
    read_members,
    to_sign,
    write_members,
)
from parity_flwr.chain_bridge.contract_wallets import MAX_SIGNATURE, contract_signed
from parity_flwr.chain_bridge.membership import identity_of
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.cli.main import execute
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import ConfigError
from stake_cases import LATER, PUBLISHER, Federation, node_of

pytest.importorskip("eth")

# isValidSignature(bytes32 digest, bytes signature): does the signature begin with the digest?
#   PUSH1 4 CALLDATALOAD  PUSH1 100 CALLDATALOAD  EQ  PUSH4 1626ba7e MUL  PUSH1 224 SHL
#   PUSH0 MSTORE  PUSH1 32 PUSH0 RETURN
APPROVING = bytes.fromhex("60043560643514631626ba7e0260e01b5f5260205ff3")
REVERTING = bytes.fromhex("5f5ffd")  # PUSH0 PUSH0 REVERT
# The magic value, and a second word behind it.
MUTE = bytes.fromhex("00")  # STOP: it answers with nothing
TALKATIVE = bytes.fromhex("631626ba7e60e01b5f5260405ff3")


def initcode(runtime: bytes) -> bytes:
    """Return what creates a contract of this code."""
    return bytes.fromhex(f"60{len(runtime):02x}600a5f3960{len(runtime):02x}5ff3") + runtime


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.slow)])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Federation]:
    """Return a federation without members yet."""
    monkeypatch.setenv("PARITY_CHAIN_KEY", FUNDED)
    with node_of(request.param) as (node, url):
        home = tmp_path / "parity-home"
        found = Federation(node, url, home, tmp_path / "members.json")
        found.deploy()
        yield found


def create(made: Federation, tmp_path: Path, runtime: bytes) -> str:
    """Put a contract on the chain; return its address."""
    with sending(made.node.chain, MemoryOutbox(), tmp_path, wallet=PUBLISHER) as sender:
        sender.submit(Intent(key="create", to=None, data=initcode(runtime)))
        sender.settle(timeout_s=60)
        row = sender.outbox.find("create")
    assert row is not None
    assert row.created is not None
    return row.created


def agreed(made: Federation, account: str, signature: bytes | None = None) -> Consent:
    """Return the consent of a contract; by default one that it approves."""
    signer = Ed25519Signer.from_seed(bytes(32))
    asked = to_sign(
        account, node_key=signer.public_key, deployment=made.deployment, deadline=LATER
    )
    return contract_consent(
        "safe",
        account=account,
        signature=bytes.fromhex(str(asked["digest"])[2:]) * 3
        if signature is None
        else signature,
        signer=signer,
        deployment=made.deployment,
        deadline=LATER,
    )


def read(made: Federation, *consents: Consent, ask: bool = True) -> Any:
    made.members.write_text(write_members(consents))
    chain = made.node.chain if ask else None
    return read_members(made.members, deployment=made.deployment, chain=chain)


def test_a_contract_that_approves_is_registered(
    made: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = create(made, tmp_path, APPROVING)
    right = agreed(made, account)
    assert read(made, right) == {"safe": right}
    with pytest.raises(ConfigError, match="no chain to ask about a contract wallet"):
        read(made, right, ask=False)
    other = replace(right, wallet_consent="ff" * 96)
    with pytest.raises(
        ConfigError, match=r"needs the consent of its wallet.*another signature;"
    ):
        read(made, other)
    # The registry asks the contract itself.
    made.members.write_text(write_members([right]))
    arguments = ["chain", "register", str(made.members), "--chain", made.url]
    assert execute(arguments) == 0
    found = identity_of(made.node.chain, account, deployment=made.deployment)
    assert found == right.member.identity


def test_who_does_not_approve_soundly_did_not_sign(made: Federation, tmp_path: Path) -> None:
    chain, digest = made.node.chain, bytes(range(32))
    approving = create(made, tmp_path, APPROVING)
    assert contract_signed(chain, approving, digest, digest)
    longest = digest + bytes(MAX_SIGNATURE - 32)
    assert contract_signed(chain, approving, digest, longest)
    assert not contract_signed(chain, approving, digest, longest + b"0")
    assert not contract_signed(chain, approving, digest, b"")
    assert not contract_signed(chain, approving, digest, bytes(32))
    reverting = create(made, tmp_path, REVERTING)
    assert not contract_signed(chain, reverting, digest, digest)
    assert contract_signed(chain, create(made, tmp_path, TALKATIVE), digest, digest)
    assert not contract_signed(chain, create(made, tmp_path, MUTE), digest, digest)
    assert not contract_signed(chain, Wallet.generate().address, digest, digest)


def test_a_key_still_consents_without_a_chain(made: Federation) -> None:
    mine = consent(
        "key",
        wallet=Wallet.generate(),
        signer=Ed25519Signer.generate(),
        deployment=made.deployment,
        deadline=LATER,
    )
    assert read(made, mine, ask=False) == {"key": mine}


def test_the_command_shows_what_to_sign_and_takes_the_signature(
    made: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account, key = create(made, tmp_path, APPROVING), tmp_path / "node.pem"
    Ed25519Signer.from_seed(bytes(32)).save(key)
    command = ["consent", "safe", "--key", str(key), "--deployment", str(made.deployed)]
    command += ["--account", account, "--deadline", str(LATER), "--json"]
    capsys.readouterr()
    assert execute(command) == 0
    asked = json.loads(capsys.readouterr().out)
    assert execute([*command, "--signature", asked["digest"] + asked["digest"][2:] * 2]) == 0
    assert json.loads(capsys.readouterr().out) == asdict(agreed(made, account))
    assert execute([*command, "--signature", "0xzz"]) == 2
    assert "hex digits" in capsys.readouterr().out

"""The members that a deployment brings: consents that hold, errors that say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from chain_cases import ETHER, NOW, WALLET, sending
from chain_rounds import deployed, record_of
from parity_flwr.app.chains.members import FileMembers, MadeMembers
from parity_flwr.app.chains.members_file import (
    Consent,
    consent,
    read_members,
    write_members,
)
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.membership import identity_of
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.chain_bridge.wallet_signer import WalletSigner
from parity_flwr.cli.main import execute
from parity_flwr.core.records import ReputationState, RoundRecord
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import ChainError, ConfigError

pytest.importorskip("eth")

LATER = 4_000_000_000
ZERO = "0x" + "0" * 40
MADE = Deployment(
    chain_id=1, owner=ZERO, token=ZERO, ledger=ZERO, rewards=ZERO, registry=ZERO, first_block=0
)


def agreed(number: int, deployment: Deployment = MADE) -> Consent:
    """Return the consent of a member."""
    return consent(
        f"client {number:04}",
        wallet=Wallet(bytes([number + 1]) * 32),
        signer=Ed25519Signer.from_seed(bytes([number]) * 32),
        deployment=deployment,
        deadline=LATER,
    )


def test_a_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    path.write_text(write_members([agreed(0), agreed(1)]))
    assert read_members(path, deployment=MADE) == {
        "client 0000": agreed(0),
        "client 0001": agreed(1),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "a name of 1 to 256"),
        ({"name": 7}, "a name of 1 to 256"),
        ({"node_key": "xy"}, "a node_key of 64 hex digits"),
        ({"node_key": "00" * 32}, "the consent of its wallet"),
        ({"account": ZERO}, "the consent of its wallet"),
        ({"account": "0x12"}, "an account needs 0x and 40"),
        ({"deadline": True}, "a deadline in seconds"),
        ({"deadline": LATER + 1}, "the consent of its wallet"),
        ({"wallet_consent": "ff" * 65}, "the consent of its wallet"),
        ({"node_consent": "00" * 64}, "the consent of its node key"),
        ({"more": 1}, "the fields account,"),
    ],
)
def test_a_member_that_does_not_hold_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "members.json"
    entries = [asdict(agreed(0)), {**asdict(agreed(1)), **change}]
    path.write_text(json.dumps({"version": 1, "members": entries}))
    with pytest.raises(ConfigError, match=message) as caught:
        read_members(path, deployment=MADE)
    if "account needs" not in message:
        assert "member 2 in members.json" in str(caught.value)


def test_a_consent_is_to_one_registry_on_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "members.json"
    path.write_text(write_members([agreed(0)]))
    for other in (replace(MADE, chain_id=2), replace(MADE, registry=Wallet.generate().address)):
        with pytest.raises(ConfigError, match="consent of its wallet to this registry"):
            read_members(path, deployment=other)


@pytest.mark.parametrize("twice", [agreed(0), replace(agreed(0), name="another")])
def test_nobody_is_a_member_twice(tmp_path: Path, twice: Consent) -> None:
    path = tmp_path / "members.json"
    path.write_text(write_members([agreed(0), twice]))
    with pytest.raises(ConfigError, match="of its own"):
        read_members(path, deployment=MADE)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{" * 50_000, b'{"version": 2, "members": []}', b"\xff", b"null"]
)
def test_what_is_no_members_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "members.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="version 1 and a list of members"):
        read_members(path, deployment=MADE)


def signed_by(change: Callable[[str], str], clients: int = 3) -> RoundRecord:
    """Return a round whose replies are signed with these keys."""
    record = record_of(1, clients)
    standings = {
        name: replace(standing, public_key=change(name))
        for name, standing in record.state.standings.items()
    }
    return replace(record, state=ReputationState(standings=standings, round=1))


def node_key_of(name: str) -> str:
    return Ed25519Signer.from_seed(bytes([int(name[-4:])]) * 32).public_key.hex()


def wallet_key_of(name: str) -> str:
    return WalletSigner(Wallet(bytes([int(name[-4:]) + 1]) * 32)).public_key.hex()


@pytest.mark.parametrize("key_of", [node_key_of, wallet_key_of, lambda name: ""])
def test_members_are_registered_once(tmp_path: Path, key_of: Callable[[str], str]) -> None:
    with EmbeddedChain() as chain:
        chain.fund(WALLET.address, 100 * ETHER)
        made = deployed(chain, tmp_path)
        consents = {each.name: each for each in (agreed(0, made), agreed(1, made))}
        counts: list[int] = []
        for _ in range(2):  # the second time as another process, with another outbox
            members = FileMembers(consents, deployment=made, outbox=MemoryOutbox(), chain=chain)
            intents = members.admit(signed_by(key_of))
            counts.append(len(intents))
            assert members.admit(signed_by(key_of)) == []
            assert members.known.keys() == consents.keys()
            with sending(chain, MemoryOutbox(), tmp_path, settings=NOW) as sender:
                for intent in intents:
                    sender.submit(intent)
                    sender.settle(timeout_s=30)
            for each in consents.values():
                found = identity_of(chain, each.account, deployment=made)
                assert found == each.member.identity == members.known[each.name].identity
        assert counts == [2, 0]


def test_a_member_is_not_paid_for_what_another_key_signed(tmp_path: Path) -> None:
    with EmbeddedChain() as chain:
        chain.fund(WALLET.address, 100 * ETHER)
        made = deployed(chain, tmp_path)
        outbox = MemoryOutbox()
        consents = {each.name: each for each in (agreed(0, made), agreed(1, made))}
        members = FileMembers(consents, deployment=made, outbox=outbox, chain=chain)
        stranger = Ed25519Signer.generate().public_key.hex()
        for wrong in (stranger, wallet_key_of("client 0009"), "05" * 33):

            def key_of(name: str, wrong: str = wrong) -> str:
                return wrong if name.endswith("0") else node_key_of(name)

            assert len(members.admit(signed_by(key_of))) <= 1
            assert members.known.keys() == {"client 0001"}
        # Nor does a run register a client whose key it does not hold.
        keys = RunKeys(tmp_path / "keys.json")
        own = MadeMembers(keys, deployment=made, outbox=outbox)
        assert own.admit(signed_by(node_key_of)) == []
        assert len(own.admit(signed_by(lambda name: ""))) == 3


def test_a_wallet_with_another_node_key_is_refused(tmp_path: Path) -> None:
    with EmbeddedChain() as chain:
        chain.fund(WALLET.address, 100 * ETHER)
        made = deployed(chain, tmp_path)
        before = consent(
            "before",
            wallet=Wallet(bytes([1]) * 32),
            signer=Ed25519Signer.generate(),
            deployment=made,
            deadline=LATER,
        )
        with sending(chain, MemoryOutbox(), tmp_path) as sender:
            sender.submit(before.intent(made))
            sender.settle(timeout_s=30)
        members = FileMembers(
            {"client 0000": agreed(0, made)},
            deployment=made,
            outbox=MemoryOutbox(),
            chain=chain,
        )
        with pytest.raises(ChainError, match="registered otherwise"):
            members.admit(record_of(1, 1))


def test_the_command_makes_an_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARITY_CHAIN_KEY", "7a" * 32)
    Ed25519Signer.generate().save(tmp_path / "node.pem")
    (tmp_path / "made.json").write_text(MADE.to_json())
    options = ["--key", str(tmp_path / "node.pem"), "--deployment", str(tmp_path / "made.json")]
    assert execute(["consent", "client-3", *options]) == 0
    printed = capsys.readouterr().out
    assert "7a" * 32 not in printed
    path = tmp_path / "members.json"
    path.write_text(json.dumps({"version": 1, "members": [json.loads(printed)]}))
    assert read_members(path, deployment=MADE).keys() == {"client-3"}

"""Replies signed with a wallet's key: what it binds, and that nobody else can make it."""

from __future__ import annotations

from typing import Any

import pytest
from flwr.app import Message
from hypothesis import given
from hypothesis import strategies as st

import test_signed_replies as signed_replies
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.chain_bridge.wallet_signer import WalletSigner
from parity_flwr.core.abi import keccak256
from parity_flwr.core.economy.evidence import Offence, OffenceKind, is_proven
from parity_flwr.core.records import Verdict
from parity_flwr.core.signatures import Ed25519Signer, update_payload, verify
from parity_flwr.core.wallet_signatures import payload_digest, wallet_address

pytest.importorskip("eth_account")

WALLETS = [Wallet(bytes([k + 1]) * 32) for k in range(6)]
SIGNERS = [WalletSigner(wallet) for wallet in WALLETS]
SENT: dict[str, Any] = {
    "run_id": "run",
    "round": 3,
    "base_hash": "aa" * 32,
    "update_hash": "bb" * 32,
    "num_examples": 10,
}


@given(st.binary(max_size=200))
def test_the_digest_is_that_of_ethereums_own_library(payload: bytes) -> None:
    from eth_account.messages import encode_typed_data

    message = encode_typed_data(
        domain_data={"name": "parity-flwr", "version": "1"},
        message_types={"Payload": [{"name": "payload", "type": "bytes"}]},
        message_data={"payload": payload},
    )
    right = keccak256(b"\x19\x01" + message.header + message.body)
    assert payload_digest(payload) == right


def test_a_wallet_signs_and_its_account_follows_from_the_key() -> None:
    for wallet, signer in zip(WALLETS, SIGNERS, strict=True):
        assert verify(signer.public_key, b"payload", signer.sign(b"payload"))
        assert wallet_address(signer.public_key) == wallet.address
        assert wallet.key.hex() not in repr(signer)


def test_only_one_form_of_a_signature_is_valid() -> None:
    signer, order = SIGNERS[0], int("F" * 31 + "E" + "BAAEDCE6AF48A03BBFD25E8CD0364141", 16)
    good = signer.sign(b"payload")
    s = int.from_bytes(good[32:64], "big")
    other = good[:32] + (order - s).to_bytes(32, "big") + bytes([good[64] ^ 1])
    assert not verify(signer.public_key, b"payload", other)


@given(st.integers(0, 8 * 65 - 9))
def test_a_flipped_bit_is_another_signature(bit: int) -> None:
    signature = bytearray(SIGNERS[0].sign(b"payload"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(SIGNERS[0].public_key, b"payload", bytes(signature))


@pytest.mark.parametrize("key", [b"", bytes(33), b"\x05" + bytes(32), b"\x02" + b"\xff" * 32])
def test_what_is_no_key_verifies_nothing(key: bytes) -> None:
    assert not verify(key, b"payload", SIGNERS[0].sign(b"payload"))
    assert not verify(SIGNERS[1].public_key, b"payload", SIGNERS[0].sign(b"payload"))
    assert not verify(SIGNERS[0].public_key, b"payload", b"")


def blame(**change: Any) -> Offence:
    """Return what a server says that a client sent, with the client's real signature."""
    signature = SIGNERS[0].sign(update_payload(**SENT))
    said = {**SENT, **change}
    return Offence(
        identity="client-0",
        kind=OffenceKind.MALFORMED,
        severity=1_000_000,
        public_key=str(said.pop("public_key", SIGNERS[0].public_key.hex())),
        signature=str(said.pop("signature", signature.hex())),
        **said,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "another run"},
        {"round": 4},
        {"base_hash": "cc" * 32},
        {"update_hash": "cc" * 32},
        {"num_examples": 11},
        {"signature": ""},
        {"public_key": SIGNERS[1].public_key.hex()},
        {"signature": SIGNERS[1].sign(update_payload(**SENT)).hex()},
        {"signature": Ed25519Signer.generate().sign(update_payload(**SENT)).hex()},
    ],
    ids=range(9),
)
def test_a_server_cannot_blame_a_client_for_what_it_did_not_sign(
    change: dict[str, Any],
) -> None:
    assert is_proven(blame())
    assert not is_proven(blame(**change))


def test_replies_signed_with_wallets_pass_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_replies, "KEYS", SIGNERS)

    def swap(round_: int, replies: list[Message]) -> list[Message]:
        # In round 2 the server gives client 0 what client 1 signed.
        if round_ == 2:
            first, second = replies[0].content, replies[1].content
            first["parity"] = second["parity"]
        return replies

    journal, _ = signed_replies.signed_run(swap)
    first, second = (record.facts.replies for record in journal.rounds)
    assert not [each for each in first if each.verdict is Verdict.QUARANTINED]
    assert all(len(each.public_key) == 66 for each in first)
    refused = [each for each in second if each.verdict is Verdict.QUARANTINED]
    assert [each.identity for each in refused] == ["client-0"]
    assert refused[0].reason == "signed with another key than this identity's"

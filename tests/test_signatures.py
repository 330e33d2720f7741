"""What a client signs is bound to its run, round, base, update and examples."""

from __future__ import annotations

import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from parity_flwr.core.signatures import Ed25519Signer, Signer, update_payload, verify
from parity_flwr.errors import ConfigError

SEED = bytes(range(32))
FIELDS: dict[str, Any] = {
    "run_id": "run",
    "round": 3,
    "base_hash": "aa" * 32,
    "update_hash": "bb" * 32,
    "num_examples": 128,
}

# RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}


@pytest.fixture
def signer() -> Ed25519Signer:
    return Ed25519Signer.from_seed(SEED)


@pytest.mark.parametrize("vector", RFC_8032.values(), ids=RFC_8032.keys())
def test_rfc_8032_vectors(vector: tuple[str, str, str, str]) -> None:
    secret, public, message, signature = map(bytes.fromhex, vector)
    signer: Signer = Ed25519Signer.from_seed(secret)
    assert signer.public_key == public
    assert signer.sign(message) == signature
    assert verify(public, message, signature)
    assert not verify(public, message + b"\0", signature)


def test_the_payload_is_as_documented() -> None:
    parts = [
        b"parity-flwr/update/v1",
        b"run",
        struct.pack(">Q", 3),
        b"\xaa" * 32,
        b"\xbb" * 32,
        struct.pack(">Q", 128),
    ]
    expected = b"".join(struct.pack(">Q", len(part)) + part for part in parts)
    assert update_payload(**FIELDS) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "run2"},
        {"round": 4},
        {"base_hash": "ab" * 32},
        {"update_hash": "ab" * 32},
        {"num_examples": 129},
        {"base_hash": "bb" * 32, "update_hash": "aa" * 32},
    ],
    ids=str,
)
def test_an_old_signature_fits_nothing_else(signer: Signer, change: dict[str, Any]) -> None:
    signature = signer.sign(update_payload(**FIELDS))
    assert verify(signer.public_key, update_payload(**FIELDS), signature)
    assert not verify(signer.public_key, update_payload(**FIELDS | change), signature)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "\ud800"},
        {"run_id": 1},
        {"round": -1},
        {"round": 1.0},
        {"round": 1 << 64},
        {"base_hash": ""},
        {"update_hash": "AA" * 32},
        {"num_examples": True},
        {"num_examples": -1},
    ],
    ids=str,
)
def test_a_payload_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        update_payload(**FIELDS | change)


def test_another_key_does_not_verify(signer: Signer) -> None:
    other = Ed25519Signer.generate()
    assert other.public_key != Ed25519Signer.generate().public_key
    assert not verify(other.public_key, b"x", signer.sign(b"x"))


@given(st.integers(0, 95), st.integers(1, 255))
def test_one_changed_byte_fails(at: int, flip: int) -> None:
    signer = Ed25519Signer.from_seed(SEED)
    both = bytearray(signer.public_key + signer.sign(b"payload"))
    both[at] ^= flip
    assert not verify(bytes(both[:32]), b"payload", bytes(both[32:]))


@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=130))
def test_hostile_bytes_never_raise(key: bytes, payload: bytes, signature: bytes) -> None:
    assert not verify(key, payload, signature)
    assert not verify(key.ljust(32, b"\x07")[:32], payload, signature.ljust(64, b"\0")[:64])


@pytest.mark.parametrize("key", [None, "00" * 32, 7, bytearray(32), b"", b"\xff" * 32])
def test_hostile_types_never_raise(signer: Signer, key: Any) -> None:
    assert not verify(key, b"x", signer.sign(b"x"))
    assert not verify(signer.public_key, key, signer.sign(b"x"))
    assert not verify(signer.public_key, b"x", key)


def test_a_key_of_small_order_binds_nothing_and_is_refused() -> None:
    # With the identity as key, R = identity and S = 0 "sign" every message.
    identity = b"\x01" + bytes(31)
    forged = identity + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"any message")
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"any other message")
    assert not verify(identity, b"any message", forged)
    assert not verify(b"\x01" + bytes(30) + b"\x80", b"any message", forged)


def test_a_key_file_comes_back_and_is_private(signer: Ed25519Signer, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Ed25519Signer.from_file(path).public_key == signer.public_key
    assert Ed25519Signer.from_pem(signer.to_pem()).sign(b"x") == signer.sign(b"x")
    with pytest.raises(ConfigError, match="a new file; got File exists"):
        signer.save(path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_that_others_read_is_refused(
    signer: Ed25519Signer, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "key.pem"
    signer.save(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"got mode {mode:04o}; run: chmod 600"):
        Ed25519Signer.from_file(path)


@pytest.mark.parametrize("content", [b"", b"no key", b"x" * 20_000])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="a signing key needs"):
        Ed25519Signer.from_file(path)
    with pytest.raises(ConfigError, match="got No such file"):
        Ed25519Signer.from_file(tmp_path / "absent")
    with pytest.raises(ConfigError, match="a readable file"):
        Ed25519Signer.from_file(tmp_path)


def test_other_keys_are_refused(signer: Ed25519Signer) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ConfigError, match="an Ed25519 key"):
        Ed25519Signer.from_pem(other)
    with pytest.raises(ConfigError, match="32 bytes"):
        Ed25519Signer.from_seed(b"short")


def test_no_secret_shows(signer: Ed25519Signer) -> None:
    assert repr(signer) == f"Ed25519Signer(public_key={signer.public_key.hex()})"
    with pytest.raises(ConfigError) as caught:
        Ed25519Signer.from_seed(b"secret" * 4)
    assert "secret" not in str(caught.value).replace("secret bytes", "")

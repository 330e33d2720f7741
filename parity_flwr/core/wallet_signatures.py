"""Signatures by wallet keys (secp256k1) over what clients sign, as EIP-712 has it.

The typed data is one message, ``Payload(bytes payload)``, in the domain ``parity-flwr``: its
payload names run, round, base model, update and number of examples itself
(:func:`parity_flwr.core.signatures.update_payload`), and no transaction or registration can
be taken for it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from parity_flwr.core.abi import abi_encode, checksum_address, keccak256

WALLET_KEY_BYTES = 33
"""A compressed point: by its length a key says which kind it is."""

PAYLOAD_TYPE = "Payload(bytes payload)"
"""What a wallet shows and signs."""

_DOMAIN_TYPE = "EIP712Domain(string name,string version)"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def payload_digest(payload: bytes) -> bytes:
    """Return the EIP-712 digest of a payload, 32 bytes."""
    domain = keccak256(
        abi_encode(
            ("bytes32", "bytes32", "bytes32"),
            (keccak256(_DOMAIN_TYPE.encode()), keccak256(b"parity-flwr"), keccak256(b"1")),
        )
    )
    message = keccak256(
        abi_encode(
            ("bytes32", "bytes32"), (keccak256(PAYLOAD_TYPE.encode()), keccak256(payload))
        )
    )
    return keccak256(b"\x19\x01" + domain + message)


def verify_wallet(public_key: bytes, payload: bytes, signature: bytes) -> bool:
    """Say whether the signature r, s, v over the payload is this key's; never raises.

    Only the lower of the two values of s counts, so that nobody can make a second signature
    from one.

    Parameters
    ----------
    public_key : bytes
        Compressed, 33 bytes.
    payload : bytes
    signature : bytes
        65 bytes, as Ethereum's wallets give it; v is not needed.
    """
    if len(signature) != 65:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < _ORDER and 0 < s <= _ORDER // 2):
        return False
    try:
        # The digest is a Keccak's; the library only asks how long it is.
        point(public_key).verify(
            encode_dss_signature(r, s), payload_digest(payload), ec.ECDSA(Prehashed(SHA256()))
        )
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def wallet_address(public_key: bytes) -> str:
    """Return the account of a compressed public key; ValueError if it is no point."""
    whole = point(public_key).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return checksum_address(keccak256(whole[1:])[12:].hex())


def point(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key of 33 bytes; ValueError if it is none."""
    if len(public_key) != WALLET_KEY_BYTES:
        raise ValueError(f"needs {WALLET_KEY_BYTES} bytes")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)

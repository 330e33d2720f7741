"""The key that pays: from a keystore or the environment, never shown, never guessable."""

from __future__ import annotations

import ipaddress
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from parity_flwr.chain_bridge.chain import Fees
from parity_flwr.chain_bridge.evm import CHAIN_ID, faucet_key
from parity_flwr.chain_bridge.recursion import kept_recursion_limit
from parity_flwr.chain_bridge.well_known import MNEMONIC_ACCOUNTS
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import Attempt, Intent
from parity_flwr.core.keyfile import read_key_file, write_key_file
from parity_flwr.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

DEVELOPMENT_CHAINS = frozenset({31337, 1337, CHAIN_ID})
"""Chains whose coins are worth nothing: anvil and hardhat, ganache, the embedded one."""

_SMALL = 1 << 32
_MAX_SCRYPT_N = 1 << 20
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Wallet:
    """A private key that signs transactions; neither repr nor errors show it.

    Examples
    --------
    >>> wallet = Wallet.generate()
    >>> wallet.address in repr(wallet), wallet.key.hex() in repr(wallet)
    (True, False)
    """

    key: bytes = field(repr=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        number = int.from_bytes(self.key, "big")
        if len(self.key) != 32 or not 0 < number < _ORDER:
            raise _needs("a private key of 32 bytes on secp256k1", "something else")
        object.__setattr__(self, "address", checksum_address(self._account().address[2:]))

    @classmethod
    def generate(cls) -> Wallet:
        """Make a new key from the system's randomness."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_hex(cls, text: str) -> Wallet:
        """Read a key of 64 hex digits, as an environment variable holds it.

        Raises
        ------
        ConfigError
            It is no such key; the message does not repeat it.
        """
        digits = text.strip().removeprefix("0x")
        if len(digits) != 64 or not set(digits.lower()) <= set("0123456789abcdef"):
            raise _needs("64 hex digits", f"{len(digits)} characters")
        return cls(bytes.fromhex(digits))

    @classmethod
    def open(cls, path: Path, password: str) -> Wallet:
        """Read a keystore file that only its owner can read.

        Raises
        ------
        ConfigError
            The file's mode, its form or the password is wrong.
        """
        document = _parse(read_key_file(path))
        account: Any = _eth_account()
        try:
            return cls(bytes(account.decrypt(document, password)))
        except (ValueError, TypeError, KeyError, NotImplementedError):
            raise _needs("a keystore and its password", "one that does not open") from None

    def save(self, path: Path, password: str) -> None:
        """Write an Ethereum keystore (version 3, scrypt n = 262144), mode 0600.

        Raises
        ------
        ConfigError
            The file exists, cannot be made, or the password is empty.
        """
        if not password:
            raise _needs("a password for its file", "an empty one")
        document = _eth_account().encrypt(self.key, password, kdf="scrypt")
        write_key_file(path, json.dumps(document).encode("ascii"))

    @property
    def well_known(self) -> bool:
        """Whether everybody has this key: anvil's, hardhat's, eth-tester's or our faucet's."""
        small = int.from_bytes(self.key, "big") < _SMALL
        listed = self.address[2:].lower() in MNEMONIC_ACCOUNTS
        return small or listed or self.key == faucet_key()

    def sign(
        self, intent: Intent, *, chain_id: int, nonce: int, gas: int, fees: Fees, height: int
    ) -> Attempt:
        """Return the signed transaction (EIP-1559) with its hash; ``height`` dates it."""
        transaction: Any = {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": intent.to if intent.to is not None else b"",
            "data": intent.data,
            "value": intent.value,
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }
        signed = self._account().sign_transaction(transaction)
        return Attempt(
            raw=bytes(signed.raw_transaction),
            tx_hash=bytes(signed.hash),
            max_fee=fees.max_fee,
            priority_fee=fees.priority_fee,
            first_seen=height,
        )

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the signature r, s, v over 32 bytes that the caller hashed (EIP-712)."""
        account: Any = self._account()
        return bytes(account.unsafe_sign_hash(digest).signature)

    def _account(self) -> LocalAccount:
        made: LocalAccount = _eth_account().from_key(self.key)
        return made


def signer_of_digest(digest: bytes, signature: bytes) -> str:
    """Return the account that signed a digest (r, s, v), empty if nobody did."""
    account: Any = _eth_account()
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    try:
        return checksum_address(account._recover_hash(digest, signature=signature)[2:])
    except (BadSignature, ValidationError, ValueError, TypeError):
        return ""


def require_fit(wallet: Wallet, *, chain_id: int, url: str | None) -> None:
    """Refuse a key that everybody has, except on a development chain on this machine.

    Parameters
    ----------
    wallet : Wallet
    chain_id : int, keyword-only
    url : str or None, keyword-only
        The node's; None for the embedded chain.

    Raises
    ------
    ConfigError
        Whoever reads this could empty the account.
    """
    if not wallet.well_known or (chain_id in DEVELOPMENT_CHAINS and is_loopback(url)):
        return
    raise ConfigError(
        "a key needs to be secret off a development chain on this machine",
        came=f"the well-known test key of {wallet.address} for the chain {chain_id}",
        action="run 'parity wallet new' and fund that address",
    )


def is_loopback(url: str | None) -> bool:
    """Say whether a URL names this machine; the embedded chain (None) lives in it."""
    if url is None:
        return True
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    crypto = document.get("crypto") if isinstance(document, dict) else None
    parameters = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(document, dict) or not isinstance(parameters, dict):
        raise _needs("an Ethereum keystore (version 3)", "another file")
    cost = parameters.get("n", 1)
    if not isinstance(cost, int) or cost > _MAX_SCRYPT_N:
        raise _needs(f"a keystore with scrypt n of at most {_MAX_SCRYPT_N}", "more")
    return document


def _needs(needed: str, came: str) -> ConfigError:
    return ConfigError(
        f"a wallet needs {needed}", came=came, action="make one with 'parity wallet new'"
    )


def _eth_account() -> Any:
    try:
        with kept_recursion_limit():
            from eth_account import Account
    except ImportError as error:
        raise MissingExtraError("a wallet", extra="chain") from error
    return Account

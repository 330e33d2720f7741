"""A wallet's key as the signer of a client's replies (EIP-712)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.wallet_signatures import payload_digest


class WalletSigner:
    """Signs with a wallet's key what :class:`parity_flwr.core.signatures.Ed25519Signer` would.

    Implements :class:`parity_flwr.core.signatures.Signer`. Whoever has the reply knows the
    account that it came from, without asking anybody.

    Parameters
    ----------
    wallet : Wallet

    Examples
    --------
    >>> from parity_flwr.core.signatures import verify
    >>> signer = WalletSigner(Wallet.generate())
    >>> verify(signer.public_key, b"payload", signer.sign(b"payload"))
    True
    """

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    @property
    def public_key(self) -> bytes:
        """The compressed point, 33 bytes."""
        number = int.from_bytes(self._wallet.key, "big")
        private = ec.derive_private_key(number, ec.SECP256K1())
        return private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, payload: bytes) -> bytes:
        """Return r, s, v over the payload's EIP-712 digest, 65 bytes."""
        return self._wallet.sign_digest(payload_digest(payload))

    def __repr__(self) -> str:
        return f"WalletSigner({self._wallet.address})"

"""Wallets that are contracts: they say themselves whether they signed (ERC-1271)."""

from __future__ import annotations

from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.errors import RevertError

MAX_SIGNATURE = 4096
"""Bytes of a signature; a multisig's has 65 for each owner."""

_MAGIC = bytes.fromhex("1626ba7e")  # of isValidSignature(bytes32,bytes), and its answer


def contract_signed(chain: Chain, account: str, digest: bytes, signature: bytes) -> bool:
    """Say whether the contract at an account says now that it signed a digest.

    What the registry asks when it registers such a wallet. The answer holds for now: owners
    of a contract wallet change. An account without a contract signed nothing here, and
    neither did a contract that refuses, or answers with anything else.

    Parameters
    ----------
    chain : Chain
        Is asked once; it changes nothing there.
    account : str
        "0x" and 40 hex digits.
    digest : bytes
        32 bytes.
    signature : bytes
        1 to 4096 bytes, whatever the contract understands.

    Raises
    ------
    NodeError
        The node does not answer, or not soundly.
    """
    if len(digest) != 32 or not 0 < len(signature) <= MAX_SIGNATURE:
        return False
    padded = signature + bytes(-len(signature) % 32)
    words = (digest, _word(64), _word(len(signature)), padded)
    try:
        answer = chain.call(Call(to=account, data=_MAGIC + b"".join(words)))
    except RevertError:
        return False
    return answer[:32] == _MAGIC + bytes(28)  # as the registry reads it


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")

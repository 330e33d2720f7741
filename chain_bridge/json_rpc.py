"""A chain behind JSON-RPC: any node. Every answer is checked before it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from parity_flwr.chain_bridge import rpc_answers as answers
from parity_flwr.chain_bridge.chain import Block, Call, Fees, Height, Receipt
from parity_flwr.chain_bridge.recursion import kept_recursion_limit
from parity_flwr.chain_bridge.rpc_answers import wrong_chain
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import MissingExtraError

_LEAST_TIP = 10**9


class JsonRpcChain:
    """A chain behind an HTTP address.

    Implements :class:`parity_flwr.chain_bridge.chain.Chain`. Nothing is retried here: who
    sends knows what may be repeated.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; it may hold a secret, so it stands in no message.
    expected_chain_id : int or None, keyword-only
        Refuse a node of another chain, at the first contact and at each new one.
    timeout_s : float, keyword-only
        How long to wait for a connection, and for each part of an answer.

    Raises
    ------
    MissingExtraError
        The extra ``chain`` is not installed.
    """

    def __init__(
        self, url: str, *, expected_chain_id: int | None = None, timeout_s: float = 10.0
    ) -> None:
        try:
            with kept_recursion_limit():
                from web3 import HTTPProvider
        except ImportError as error:
            raise MissingExtraError("a chain behind a URL", extra="chain") from error
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None
        )
        self._expected = expected_chain_id
        self._chain_id: int | None = None

    @property
    def chain_id(self) -> int:
        """The number that signatures bind (EIP-155).

        Raises
        ------
        ChainError
            It is not the expected one.
        """
        if self._chain_id is None:
            self._chain_id = self._checked_id()
        return self._chain_id

    def nonce(self, address: str, *, at: Height | Literal["pending"] = "latest") -> int:
        """Return how many transactions the account has sent."""
        height = at if isinstance(at, str) else hex(at)
        return answers.number(self._ask("eth_getTransactionCount", address, height))

    def balance(self, address: str) -> int:
        """Return the account's wei."""
        return answers.number(self._ask("eth_getBalance", address, "latest"))

    def send_raw(self, raw: bytes) -> bytes:
        """Hand over a signed transaction; return its hash.

        Raises
        ------
        RefusedError
            The node did not take it; ``refusal`` says why.
        """
        return answers.hash32(self._ask("eth_sendRawTransaction", "0x" + raw.hex()))

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return what came of a transaction, None while it is in no block."""
        answer = self._ask("eth_getTransactionReceipt", "0x" + tx_hash.hex())
        return None if answer is None else answers.receipt(answer, tx_hash)

    def block(self, at: Height) -> Block | None:
        """Return a block of the chain as it is now, None above its head."""
        height = at if isinstance(at, str) else hex(at)
        answer = self._ask("eth_getBlockByNumber", height, False)
        return None if answer is None else answers.block(answer, at)

    def logs(
        self,
        addresses: Sequence[str],
        *,
        first: int = 0,
        last: int = 0,
        block_hash: bytes | None = None,
    ) -> tuple[ChainLog, ...]:
        """Return the events of these contracts from block ``first`` to ``last``, in order."""
        where: dict[str, Any] = {"fromBlock": hex(first), "toBlock": hex(last)}
        if block_hash is not None:
            where = {"blockHash": "0x" + block_hash.hex()}
        answer = self._ask("eth_getLogs", {"address": list(addresses), **where})
        return answers.logs(answer, addresses=addresses, block_hash=block_hash)

    def call(self, call: Call, *, at: Height = "latest") -> bytes:
        """Return what a contract answers; RevertError if it refuses."""
        height = at if isinstance(at, str) else hex(at)
        return answers.data(self._ask("eth_call", _question(call), height))

    def estimate(self, call: Call) -> int:
        """Return how much gas a transaction needs now; RevertError if it would revert."""
        return answers.number(self._ask("eth_estimateGas", _question(call)))

    def fees(self) -> Fees:
        """Return twice the newest block's base fee and a tip, in wei per gas."""
        head = self.block("latest")
        base = head.base_fee if head is not None else 0
        return Fees(max_fee=2 * base + _LEAST_TIP, priority_fee=_LEAST_TIP)

    def request(self, method: str, *params: object) -> object:
        """Ask the node anything, for what only some nodes have (``anvil_reorg``)."""
        return self._ask(method, *params)

    def _checked_id(self) -> int:
        found = answers.number(self._ask("eth_chainId"))
        if self._expected is not None and found != self._expected:
            raise wrong_chain(needed=self._expected, came=found)
        return found

    def _ask(self, method: str, *params: object) -> Any:
        from requests.exceptions import RequestException
        from web3.types import RPCEndpoint

        try:
            response = self._provider.make_request(RPCEndpoint(method), list(params))
        except (RequestException, OSError) as error:
            # Whoever answers next at this address may be another chain.
            self._chain_id = None
            # The text of a requests error holds the URL, which may hold a key.
            raise answers.away(type(error).__name__) from None
        except (ValueError, TypeError, RecursionError):
            raise answers.away("an answer that is not JSON") from None
        return answers.result(response, method)


def _question(call: Call) -> dict[str, str]:
    question = {"data": "0x" + call.data.hex(), "value": hex(call.value)}
    if call.to is not None:
        question["to"] = call.to
    if call.sender is not None:
        question["from"] = call.sender
    return question

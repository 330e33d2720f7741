"""The embedded chain behind JSON-RPC on loopback, so that several processes share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from parity_flwr.chain_bridge.chain import Block, Call, Chain, Height, Receipt
from parity_flwr.core.anchoring import ChainLog
from parity_flwr.errors import ParityError, RefusedError, RevertError

MAX_REQUEST = 1 << 20
_GETHS_WORDS = {"known": "already known", "funds": "insufficient funds"}
Method = Callable[[Chain, list[Any]], object]


def serve(chain: Chain, *, port: int) -> ThreadingHTTPServer:
    """Return a server on 127.0.0.1 that answers for a chain; ``serve_forever`` runs it.

    Parameters
    ----------
    chain : Chain
        Safe to share between threads.
    port : int, keyword-only
        0 takes any that is free; ``server_address`` says which.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True  # else 40 ms a request
        timeout = 60

        def do_POST(self) -> None:
            content = _respond(chain, self._body())
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _body(self) -> bytes:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MAX_REQUEST:
                self.close_connection = True
                return b""
            return self.rfile.read(int(length))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def answer(chain: Chain, method: str, parameters: list[Any]) -> object:
    """Return a method's result as JSON-RPC writes it.

    Raises
    ------
    KeyError
        There is no such method.
    ParityError
        The chain refuses.
    ValueError, TypeError, IndexError, AttributeError
        The parameters are not the method's.
    """
    return _METHODS[method](chain, parameters)


def _respond(chain: Chain, body: bytes) -> bytes:
    try:
        question = json.loads(body)
        identifier = question["id"]
        method, parameters = question["method"], list(question.get("params") or [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _written(None, error={"code": -32600, "message": "invalid request"})
    try:
        return _written(identifier, result=answer(chain, method, parameters))
    except RevertError as error:
        data = "0x" + error.data.hex()
        said = {"code": 3, "message": f"execution reverted: {error.came}", "data": data}
    except RefusedError as error:
        words = _GETHS_WORDS.get(error.refusal, error.refusal)
        said = {"code": -32000, "message": f"{words}: {error.came}"}
    except ParityError as error:
        said = {"code": -32000, "message": str(error)}
    except KeyError:
        said = {"code": -32601, "message": f"no method {ascii(method)[:40]}"}
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError):
        said = {"code": -32602, "message": "invalid parameters"}
    return _written(identifier, error=said)


def _written(identifier: object, **content: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, **content}).encode()


def _height(text: str) -> Height:
    if text in {"latest", "pending", "safe"}:
        return "latest"
    if text == "earliest":
        return 0
    return "finalized" if text == "finalized" else int(text, 16)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _call(question: Mapping[str, Any]) -> Call:
    return Call(
        to=question.get("to"),
        data=_bytes(question.get("input") or question.get("data") or "0x"),
        sender=question.get("from"),
        value=int(question.get("value", "0x0"), 16),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _block(found: Block | None) -> object:
    if found is None:
        return None
    return {
        "number": hex(found.number),
        "hash": _hex(found.hash),
        "parentHash": _hex(found.parent_hash),
        "timestamp": hex(found.timestamp),
        "baseFeePerGas": hex(found.base_fee),
        "transactions": [_hex(each) for each in found.transactions],
    }


def _log(log: ChainLog) -> dict[str, object]:
    return {
        "address": log.address,
        "topics": [_hex(topic) for topic in log.topics],
        "data": _hex(log.data),
        "blockNumber": hex(log.block_number),
        "blockHash": _hex(log.block_hash),
        "transactionHash": _hex(log.tx_hash),
        "logIndex": hex(log.index),
        "removed": False,
    }


def _receipt(found: Receipt | None) -> object:
    if found is None:
        return None
    return {
        "transactionHash": _hex(found.tx_hash),
        "status": hex(found.succeeded),
        "blockNumber": hex(found.block_number),
        "blockHash": _hex(found.block_hash),
        "gasUsed": hex(found.gas_used),
        "contractAddress": found.created,
        "logs": [_log(log) for log in found.logs],
    }


def _logs(chain: Chain, wanted: Mapping[str, Any]) -> list[dict[str, object]]:
    addresses = wanted.get("address") or []
    addresses = [addresses] if isinstance(addresses, str) else list(addresses)
    if wanted.get("blockHash"):
        found = chain.logs(addresses, block_hash=_bytes(wanted["blockHash"]))
    else:
        first, last = (
            _number(chain, wanted.get(k, "latest")) for k in ("fromBlock", "toBlock")
        )
        found = chain.logs(addresses, first=first, last=last)
    return [_log(log) for log in found]


def _number(chain: Chain, text: str) -> int:
    height = _height(text)
    if isinstance(height, int):
        return height
    head = chain.block(height)
    return head.number if head is not None else 0


_METHODS: Mapping[str, Method] = {
    "eth_chainId": lambda chain, _: hex(chain.chain_id),
    "net_version": lambda chain, _: str(chain.chain_id),
    "web3_clientVersion": lambda *_: "parity-flwr/embedded",
    "eth_syncing": lambda *_: False,
    "eth_accounts": lambda *_: [],
    "eth_blockNumber": lambda chain, _: hex(_number(chain, "latest")),
    "eth_gasPrice": lambda chain, _: hex(chain.fees().max_fee),
    "eth_maxPriorityFeePerGas": lambda chain, _: hex(chain.fees().priority_fee),
    "eth_getBalance": lambda chain, given: hex(chain.balance(given[0])),
    "eth_getTransactionCount": lambda chain, given: hex(
        chain.nonce(given[0], at=_height(given[1] if len(given) > 1 else "latest"))
    ),
    "eth_getBlockByNumber": lambda chain, given: _block(chain.block(_height(given[0]))),
    "eth_getTransactionReceipt": lambda chain, given: _receipt(chain.receipt(_bytes(given[0]))),
    "eth_sendRawTransaction": lambda chain, given: _hex(chain.send_raw(_bytes(given[0]))),
    "eth_call": lambda chain, given: _hex(
        chain.call(_call(given[0]), at=_height(given[1] if len(given) > 1 else "latest"))
    ),
    "eth_estimateGas": lambda chain, given: hex(chain.estimate(_call(given[0]))),
    "eth_getLogs": lambda chain, given: _logs(chain, given[0]),
}

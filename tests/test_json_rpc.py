"""A node may say anything: every answer is checked, and no message shows the URL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from anvil_node import Anvil, free_port
from chain_cases import PAYEE, WALLET
from parity_flwr.chain_bridge.chain import Call
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.evm import CHAIN_ID
from parity_flwr.chain_bridge.json_rpc import JsonRpcChain
from parity_flwr.errors import ChainError, ConfigError, NodeError, RefusedError, RevertError

HASH = "0x" + "11" * 32
Answer = Callable[[dict[str, Any]], bytes]


@contextmanager
def speaking(answer: Answer) -> Iterator[str]:
    """Serve a node that says what ``answer`` says; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            content = answer(question)
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/secret-key"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def saying(result: object) -> Answer:
    return lambda question: json.dumps(
        {"jsonrpc": "2.0", "id": question["id"], "result": result}
    ).encode()


def refusing(code: int, message: object, data: object = None) -> Answer:
    error = {"code": code, "message": message, "data": data}
    return lambda question: json.dumps(
        {"jsonrpc": "2.0", "id": question["id"], "error": error}
    ).encode()


BLOCK = {
    "number": "0x5",
    "hash": HASH,
    "parentHash": HASH,
    "timestamp": "0x1",
    "baseFeePerGas": "0x1",
    "transactions": [],
}
LOG = {
    "address": PAYEE,
    "topics": [HASH],
    "data": "0x",
    "blockNumber": "0x5",
    "blockHash": HASH,
    "transactionHash": HASH,
    "logIndex": "0x0",
}


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[]", b"null", b"1", b'"x"', b"[" * 100_000, b'{"id": 1}', b"\xff\xfe"],
)
def test_what_is_no_response_is_a_node_error(content: bytes) -> None:
    with speaking(lambda _: content) as url, pytest.raises(NodeError) as caught:
        _ = JsonRpcChain(url).chain_id
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "result", [None, 5, "5", "0x", "0xzz", "0x" + "f" * 65, True, [], {}, "0x1\n"]
)
def test_what_is_no_number_is_a_node_error(result: object) -> None:
    with speaking(saying(result)) as url, pytest.raises(NodeError):
        JsonRpcChain(url).balance(PAYEE)


@pytest.mark.parametrize(
    "change",
    [
        {"number": "0x6"},
        {"hash": "0x11"},
        {"parentHash": None},
        {"timestamp": -1},
        {"transactions": {}},
        {"transactions": ["0x1"]},
    ],
)
def test_a_block_that_was_not_asked_for_is_refused(change: dict[str, object]) -> None:
    with speaking(saying({**BLOCK, **change})) as url, pytest.raises(NodeError):
        JsonRpcChain(url).block(5)
    with speaking(saying(BLOCK)) as url:
        found = JsonRpcChain(url).block(5)
        assert found is not None
        assert found.number == 5


@pytest.mark.parametrize(
    "change", [{"address": WALLET.address}, {"blockHash": "0x" + "22" * 32}, {"topics": ["0x"]}]
)
def test_events_that_were_not_asked_for_are_refused(change: dict[str, object]) -> None:
    block_hash = bytes.fromhex(HASH[2:])
    with speaking(saying([{**LOG, **change}])) as url, pytest.raises(NodeError):
        JsonRpcChain(url).logs([PAYEE], block_hash=block_hash)
    with speaking(saying([LOG])) as url:
        assert len(JsonRpcChain(url).logs([PAYEE], block_hash=block_hash)) == 1


def test_a_receipt_of_another_transaction_is_refused() -> None:
    receipt: dict[str, object] = {
        "transactionHash": HASH,
        "blockHash": HASH,
        "blockNumber": "0x5",
        "status": "0x1",
        "gasUsed": "0x5208",
        "contractAddress": None,
        "logs": [],
    }
    with speaking(saying(receipt)) as url:
        assert JsonRpcChain(url).receipt(bytes.fromhex(HASH[2:])) is not None
        with pytest.raises(NodeError):
            JsonRpcChain(url).receipt(b"\2" * 32)
    with speaking(saying({**receipt, "blockHash": None})) as url:
        assert JsonRpcChain(url).receipt(bytes.fromhex(HASH[2:])) is None


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        ("already known", "known"),
        ("transaction already imported", "known"),
        ("nonce too low: next nonce 5, tx nonce 3", "nonce too low"),
        ("replacement transaction underpriced", "underpriced"),
        ("max fee per gas less than block base fee", "underpriced"),
        ("insufficient funds for gas * price + value", "funds"),
        ("nonce too high", "nonce too high"),
        ("intrinsic gas too low", "other"),
        (["a", "list"], "other"),
    ],
)
def test_refusals_are_told_apart(message: object, refusal: str) -> None:
    with speaking(refusing(-32000, message)) as url, pytest.raises(RefusedError) as caught:
        JsonRpcChain(url).send_raw(b"\2")
    assert caught.value.refusal == refusal


@pytest.mark.parametrize("code", [-32005, -32603, 429])
def test_a_busy_node_is_asked_again_later(code: int) -> None:
    with speaking(refusing(code, "too many requests")) as url:
        with pytest.raises(NodeError):
            JsonRpcChain(url).send_raw(b"\2")
        with pytest.raises(NodeError):
            JsonRpcChain(url).balance(PAYEE)


@pytest.mark.parametrize("data", ["0x01020304", {"data": "0x01020304"}])
def test_what_a_contract_said_is_kept(data: object) -> None:
    with speaking(refusing(3, "execution reverted", data)) as url:
        with pytest.raises(RevertError) as caught:
            JsonRpcChain(url).call(Call(to=PAYEE))
        assert caught.value.data == bytes([1, 2, 3, 4])


def test_a_method_that_a_node_lacks_is_no_reason_to_wait() -> None:
    with speaking(refusing(-32601, "the method does not exist")) as url:
        with pytest.raises(ChainError) as caught:
            JsonRpcChain(url).balance(PAYEE)
        assert not isinstance(caught.value, NodeError)


def test_a_wrong_chain_refuses_to_start(anvil: Anvil) -> None:
    connect(anvil.url, chain_id=31337)
    chain = connect(anvil.url, chain_id=1)
    with pytest.raises(ChainError, match="needs the chain 1; got the chain 31337"):
        _ = chain.chain_id
    with pytest.raises(ChainError, match="needs the chain 1"):
        connect("embedded", chain_id=1)


def test_a_dead_node_is_one_line_without_its_url() -> None:
    url = f"http://127.0.0.1:{free_port()}/secret-key"
    with pytest.raises(NodeError, match="needs to answer") as caught:
        connect(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    connect(url, chain_id=1)  # a run may start while the node is away


@pytest.mark.parametrize("where", ["", "anvil", "ws://127.0.0.1", "file:///etc/passwd", "off"])
def test_what_is_no_chain_is_refused(where: str) -> None:
    with pytest.raises(ConfigError, match="change --chain"):
        connect(where)


def test_the_embedded_chain_is_connected_to() -> None:
    chain = connect("embedded", chain_id=CHAIN_ID)
    assert chain.chain_id == CHAIN_ID
    chain.close()  # type: ignore[union-attr]

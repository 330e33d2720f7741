"""Small real servers on loopback that speak what IPFS nodes and pinning services speak."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.unixfs import Profile
from parity_flwr.errors import ParityError


class Handler(BaseHTTPRequestHandler):
    """Reads whole requests and writes whole answers, without logging."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, code: int, plain: object) -> None:
        self.answer(code, json.dumps(plain, indent=1).encode())


@dataclass
class Node:
    """An IPFS node's RPC over a directory of blocks; `fault` makes it misbehave."""

    folder: Path
    url: str = ""
    fault: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def call(self, handler: Handler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        data = handler.body()
        self.asked.append((parts.path, query))
        if self.fault in FAULTS:
            FAULTS[self.fault](handler)
            return
        try:
            getattr(self, parts.path.rpartition("/api/v0/")[2].replace("/", "_"))(
                handler, query, data
            )
        except ParityError as error:
            handler.say(500, {"Message": str(error), "Code": 0, "Type": "error"})

    def add(self, handler: Handler, query: dict[str, str], data: bytes) -> None:
        boundary = re.search(r'boundary="?([^";]+)', handler.headers["Content-Type"])
        assert boundary is not None
        part = data.split(b"--" + boundary[1].encode())[1]
        content = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        cid = self._store(query).put(content + b"!" if self.fault == "adds" else content)
        line = {"Name": "file", "Hash": cid, "Size": str(len(content))}
        handler.answer(200, json.dumps(line).encode() + b"\n")

    def cat(self, handler: Handler, query: dict[str, str], data: bytes) -> None:
        found = self._store({}).get(query["arg"], max_bytes=1 << 30)
        found = found[: int(query.get("length", len(found)))]
        if self.fault == "flips":
            found = bytes([found[0] ^ 1]) + found[1:]
        handler.answer(200, found + bytes(1000) if self.fault == "endless" else found)

    def pin_add(self, handler: Handler, query: dict[str, str], data: bytes) -> None:
        self._store({}).pin(query["arg"])
        pins = [] if self.fault == "unpinned" else [query["arg"]]
        handler.answer(200, json.dumps({"Pins": pins}).encode() + b"\n")

    def version(self, handler: Handler, query: dict[str, str], data: bytes) -> None:
        handler.answer(200, json.dumps({"Version": "0.8.0"}).encode())

    def _store(self, query: dict[str, str]) -> DirectoryStore:
        profile = Profile(
            name="asked",
            version=int(query.get("cid-version", 1)),
            chunk=int(query.get("chunker", "size-262144").removeprefix("size-")),
            width=int(query.get("max-file-links", 174)),
        )
        return DirectoryStore(folder=self.folder, profile=profile)


FAULTS = {
    "refuses": lambda handler: handler.say(500, {"Message": "no\x1b[2J space", "Code": 0}),
    "redirects": lambda handler: handler.answer(307, b"", Location="http://127.0.0.1:9/x"),
    "babbles": lambda handler: handler.answer(200, b"<html>"),
    "nests": lambda handler: handler.answer(200, b"[" * 100_000),
    "floods": lambda handler: handler.answer(200, b'{"a":"' + b"x" * (2 << 20) + b'"}'),
    "empties": lambda handler: handler.answer(200, b""),
    "others": lambda handler: handler.say(200, {"Hash": 7, "Pins": [7], "pin": 7}),
}


@dataclass
class Pinner:
    """A pinning service (IPFS Pinning Service API 1.0.0) that keeps its requests in a dict."""

    token: str
    url: str = ""
    fault: str = ""
    pins: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0

    def call(self, handler: Handler) -> None:
        parts, body = urlsplit(handler.path), handler.body()
        if handler.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused += 1
            error = {"reason": "UNAUTHORIZED", "details": "Access token is missing or invalid"}
            handler.say(401, {"error": error})
        elif self.fault in FAULTS:
            FAULTS[self.fault](handler)
        elif parts.path == "/v1/pins":
            self._list_or_add(handler, parse_qs(parts.query), body)
        else:
            self._one(handler, parts.path.rpartition("/")[2])

    def _list_or_add(self, handler: Handler, query: dict[str, list[str]], body: bytes) -> None:
        if handler.command == "GET":
            cid, states = query["cid"][0], query["status"][0].split(",")
            found = [
                each
                for each in self.pins.values()
                if each["pin"]["cid"] == cid and each["status"] in states
            ]
            handler.say(200, {"count": len(found), "results": found})
            return
        assert handler.headers["Content-Type"] == "application/json"
        pin = json.loads(body)
        Cid.parse(pin["cid"])
        number = f"UniqueIdOfPinRequest-{len(self.pins) + 1}"
        self.pins[number] = {
            "requestid": number,
            "status": "queued",
            "created": "2026-11-20T12:00:00Z",
            "pin": pin,
            "delegates": ["/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW"],
        }
        handler.say(202, self.pins[number])

    def _one(self, handler: Handler, number: str) -> None:
        if number not in self.pins:
            error = {"reason": "NOT_FOUND", "details": "The specified resource was not found"}
            handler.say(404, {"error": error})
        elif handler.command == "DELETE":
            del self.pins[number]
            handler.answer(202, b"")
        else:
            handler.say(200, self.pins[number])


@contextmanager
def serving(server: Node | Pinner, *, path: str = "") -> Iterator[str]:
    """Serve on a free port of loopback while the context lasts; give the URL."""

    class Bound(Handler):
        def do_POST(self) -> None:
            server.call(self)

        do_GET = do_DELETE = do_POST  # noqa: N815 (http.server's names)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_port}{path}"
    try:
        yield server.url
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()

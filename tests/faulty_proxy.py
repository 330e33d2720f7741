"""A loopback proxy before a real node that fails as nodes do, drawn from a seed."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np
import requests

_JSON = {"content-type": "application/json"}
FAULTS = ("drop", "swallow", "429", "500", "garbage", "stale")


class FaultyProxy:
    """Passes requests on; a share of them fails in one of :data:`FAULTS`.

    drop: the node never sees it. swallow: the node does, the answer is lost. stale: the
    answer is one that the same question had before (a replica that lags). 429, 500 and
    garbage: the node never sees it.
    """

    def __init__(self, url: str, *, share: float, seed: int) -> None:
        self.share = share
        self.down = False
        self.counts: Counter[str] = Counter()
        self._url = url
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._before: dict[str, deque[bytes]] = {}
        self._session = requests.Session()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._session.close()

    def answer(self, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body, None to hang up."""
        with self._lock:
            fault = self._draw()
            self.counts[fault] += 1
            if fault == "drop":
                return None
            if fault in {"429", "500"}:
                return int(fault), b"busy"
            if fault == "garbage":
                return 200, b'{"jsonrpc": "2.0", "result": "0xzz'
            return self._pass_on(body, fault)

    def _draw(self) -> str:
        if self.down:
            return "drop"
        if self._rng.random() >= self.share:
            return "none"
        return FAULTS[int(self._rng.integers(len(FAULTS)))]

    def _pass_on(self, body: bytes, fault: str) -> tuple[int, bytes] | None:
        question: dict[str, Any] = json.loads(body)
        key = json.dumps([question["method"], question["params"]])
        before = self._before.setdefault(key, deque(maxlen=4))
        if fault == "stale" and before and question["method"] != "eth_sendRawTransaction":
            return 200, before[0]
        answer = self._session.post(self._url, data=body, headers=_JSON, timeout=10).content
        before.append(answer)
        return None if fault == "swallow" else (200, answer)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = proxy.answer(body)
                self.close_connection = answer is None
                if answer is None:
                    return
                status, content = answer
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler

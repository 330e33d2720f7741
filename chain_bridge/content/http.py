"""One HTTP service, asked with limits: time, size, no redirects, no proxies."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from parity_flwr.errors import ConfigError, ContentError

MAX_ANSWER_BYTES = 1 << 20
"""No answer other than content is larger."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a service is and how to ask it.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``, without user, query or fragment.
    token : str
        Sent as ``Authorization: Bearer``; never shown, and only over TLS or to this machine.
    timeout_s : float
        For connecting, and for each silence while data is under way.
    deadline_s : float
        For one answer as a whole.

    Raises
    ------
    ConfigError
        The URL is none of those, or the token would travel in the clear.
    """

    url: str
    token: str = field(default="", repr=False)
    timeout_s: float = 30.0
    deadline_s: float = 600.0

    def __post_init__(self) -> None:
        parsed = _parsed(self.url)
        plain = parsed is not None and not (
            parsed.userinfo
            or parsed.query
            or parsed.fragment
            or not parsed.host
            or (parsed.port or 1) > 65535
        )
        if parsed is None or not plain or parsed.scheme not in ("http", "https"):
            raise _refusal(
                "a URL like https://host:port/path", "another, or one with a password"
            )
        if not self.token.isascii() or not self.token.isprintable():
            raise _refusal("a token of printable ASCII", "another")
        if self.token and parsed.scheme == "http" and not _is_loopback(parsed.host):
            raise _refusal("https:// when there is a token", "http:// to another machine")

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        content_type: str = "application/json",
    ) -> list[dict[str, Any]]:
        """Return the JSON objects of an answer, one a line; empty for an empty answer.

        Raises
        ------
        ContentError
            The service is away, slow, refuses, or answers something else or too much.
        """
        headers = {"Content-Type": content_type} if content is not None else {}
        with self.stream(method, path, query=query, content=content, headers=headers) as pieces:
            body = b"".join(_capped(pieces, MAX_ANSWER_BYTES, self.url))
        found = _objects(body)
        if found is None:
            raise _failed(self.url, "JSON objects", ascii(body[:60]))
        return found

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """Give the answer's body piece by piece, as it comes; errors as :meth:`ask`."""
        # what is compressed could be larger than what is counted
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        sent |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        address = self.url.rstrip("/") + path
        tls = address.lower().startswith("https:")  # its context is slow to make
        try:
            # no redirects: a token must not follow them; no proxies or netrc of the environment
            with (
                httpx.Client(timeout=self.timeout_s, trust_env=False, verify=tls) as client,
                client.stream(
                    method, address, params=query, content=content, headers=sent
                ) as answer,
            ):
                if not answer.is_success:
                    raise _failed(self.url, "a 2xx answer", _reason(answer))
                yield _in_time(answer.iter_raw(), self.deadline_s, self.url)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise _failed(
                self.url, "to answer", f"{type(error).__name__}: {ascii(str(error))[:120]}"
            ) from error


def _objects(body: bytes) -> list[dict[str, Any]] | None:
    """Return a JSON object, or one on each line; None for anything else."""
    for parts in ([body] if body.strip() else [], body.splitlines()):
        try:
            found = [json.loads(part) for part in parts]
        except (ValueError, RecursionError):
            continue
        return found if all(isinstance(each, dict) for each in found) else None
    return None


def _in_time(pieces: Iterable[bytes], seconds: float, url: str) -> Iterator[bytes]:
    """Yield what comes until the deadline: a byte now and then is no answer."""
    end = time.monotonic() + seconds
    for piece in pieces:
        if time.monotonic() > end:
            raise _failed(url, f"an answer within {seconds:g} s", "a part of it")
        yield piece


def _capped(pieces: Iterable[bytes], limit: int, url: str) -> Iterator[bytes]:
    left = limit
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise _failed(url, f"an answer of at most {limit} bytes", "more")
        yield piece


def _reason(answer: httpx.Response) -> str:
    """Say what a service answered instead; it may hold anything, so little of it."""
    text = b""
    for piece in answer.iter_raw():
        text += piece
        if len(text) > 300:
            break
    return f"{answer.status_code} {text[:300].decode('utf-8', 'replace')!a}"


def _parsed(url: str) -> httpx.URL | None:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refusal(needed: str, came: str) -> ConfigError:
    return ConfigError(
        f"a content service needs {needed}", came=came, action="correct its URL or its token"
    )


def _failed(url: str, needed: str, came: str) -> ContentError:
    return ContentError(
        f"the content service {url} needs {needed}",
        came=came,
        action="check that it runs and accepts you, then try again",
    )

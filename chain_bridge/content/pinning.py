"""Pinning services: somebody else keeps the content (IPFS Pinning Service API 1.0).

Filecoin is reached this way: services that make storage deals take CIDs by this API. Only
CIDs travel; the service fetches the blocks from a node that has them, so pin there too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parity_flwr.chain_bridge.content.http import Service
from parity_flwr.core.content.cid import Cid
from parity_flwr.core.content.records import PinState, PinStatus
from parity_flwr.errors import ConfigError, ContentError

MAX_NAME = 255
MAX_ORIGINS = 20
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class PinningService:
    """A service that speaks the Pinning Service API (implements ``PinningTarget``).

    Parameters
    ----------
    service : Service
        Its URL and the bearer token that it gave you.
    """

    service: Service

    def request(self, cid: str, *, name: str = "", origins: Sequence[str] = ()) -> PinStatus:
        """Ask to keep a CID: ``POST /pins``.

        Parameters
        ----------
        cid : str
            The content.
        name : str, keyword-only
            For people, at most 255 characters.
        origins : sequence of str, keyword-only
            Multiaddrs of nodes that have it, at most 20.

        Raises
        ------
        ContentError
            The service fails, refuses, or answers for other content.
        ConfigError
            `cid` is none, or a name or the origins are too long.
        """
        wanted = Cid.parse(cid)
        if len(name) > MAX_NAME or len(origins) > MAX_ORIGINS:
            raise ConfigError(
                f"a pin needs at most {MAX_NAME} characters of name, {MAX_ORIGINS} origins",
                came=f"{len(name)} and {len(origins)}",
                action="shorten them",
            )
        body: dict[str, object] = {"cid": str(wanted)}
        body |= {"name": name} if name else {}
        body |= {"origins": list(origins)} if origins else {}
        answers = self.service.ask("POST", "/pins", content=json.dumps(body).encode("ascii"))
        return _require_content(_status(_only(answers)), wanted)

    def status(self, request_id: str) -> PinStatus:
        """Return how far a request has come: ``GET /pins/{requestid}``.

        Raises
        ------
        ContentError
            The service fails, or does not know it.
        """
        found = _status(_only(self.service.ask("GET", _path(request_id))))
        if found.request_id != request_id:
            raise _wrong(f"the request {request_id}", found.request_id)
        return found

    def find(self, cid: str) -> tuple[PinStatus, ...]:
        """Return the requests for a CID, in any state: ``GET /pins?cid=``."""
        wanted = Cid.parse(cid)
        every = ",".join(PinState)
        query = {"cid": str(wanted), "status": every, "limit": "1000"}
        results = _only(self.service.ask("GET", "/pins", query=query)).get("results")
        if not isinstance(results, list):
            raise _wrong("a list of results", ascii(results)[:60])
        return tuple(_require_content(_status(each), wanted) for each in results)

    def remove(self, request_id: str) -> None:
        """Take a request back: ``DELETE /pins/{requestid}``; ContentError if it stays."""
        self.service.ask("DELETE", _path(request_id))


def _path(request_id: str) -> str:
    if not _REQUEST_ID.fullmatch(request_id):
        raise ConfigError(
            "a pin's request needs its id",
            came=ascii(request_id)[:60],
            action="pass the id that the service gave",
        )
    return f"/pins/{request_id}"


def _only(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(answers) != 1:
        raise _wrong("one JSON object", f"{len(answers)}")
    return answers[0]


def _status(answer: object) -> PinStatus:
    pin = answer.get("pin") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(pin, Mapping):
        raise _wrong("a PinStatus", ascii(answer)[:60])
    texts = [answer.get("requestid"), answer.get("status"), pin.get("cid")]
    request_id, state, cid = (each if isinstance(each, str) else "" for each in texts)
    name = pin.get("name")
    if state not in set(PinState) or not _REQUEST_ID.fullmatch(request_id):
        raise _wrong("a request id and a known status", ascii(texts)[:80])
    label = name[:MAX_NAME] if isinstance(name, str) else ""
    return PinStatus(request_id=request_id, state=PinState(state), cid=cid, name=label)


def _require_content(status: PinStatus, wanted: Cid) -> PinStatus:
    try:
        same = bytes(Cid.parse(status.cid)) == bytes(wanted)
    except ConfigError:
        same = False
    if not same:
        raise _wrong(f"to speak of {wanted}", ascii(status.cid)[:80])
    return status


def _wrong(needed: str, came: str) -> ContentError:
    return ContentError(
        f"a pinning service's answer needs {needed}",
        came=came,
        action="check the URL and the token",
    )

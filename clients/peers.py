"""What a client keeps of past secure sums, and whose keys it believes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from flwr.app import ConfigRecord, Context

from parity_flwr.core.secagg.messages import pack_ids, unpack_ids
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.trust import FirstUse, GivenKeys, Trust
from parity_flwr.errors import ConfigError

PEERS_FILE: Final = "parity-peers"
"""Node configuration: the path of a file with every client's public key, hex, one a line."""

_PAST: Final = "parity-secagg-past"
_KEY: Final = 32
_MOST_BYTES: Final = 8 << 20


@dataclass(frozen=True)
class Past:
    """The last round that this client helped to unmask, and the peers it has met."""

    run_id: str = ""
    round: int = 0
    known: Mapping[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context) -> Past:
        """Return what the context holds."""
        record = context.state.config_records.get(_PAST)
        if record is None:
            return cls()
        ids, keys = unpack_ids(record["ids"]), record["keys"]
        assert isinstance(keys, bytes)  # noqa: S101 - written below
        known = {each: keys[k * _KEY : (k + 1) * _KEY] for k, each in enumerate(ids)}
        return cls(str(record["run"]), int(str(record["round"])), known)

    def store(self, context: Context) -> None:
        """Write it to the context."""
        context.state[_PAST] = ConfigRecord(
            {
                "run": self.run_id,
                "round": self.round,
                "ids": pack_ids(self.known),
                "keys": b"".join(self.known.values()),
            }
        )

    def require_new(self, session: Session) -> None:
        """Refuse a round that was unmasked already: two sums of it may differ in one client."""
        if session.run_id == self.run_id and session.round <= self.round:
            raise ConfigError(
                "a round of secure aggregation needs to be one that was not unmasked yet",
                came=f"round {session.round} after round {self.round}",
                action="go on with the next round",
            )

    def remember(self, known: Mapping[int, bytes]) -> Past:
        """Return it with the peers of this session."""
        return replace(self, known={**self.known, **known})

    def unmasked(self, session: Session) -> Past:
        """Return it after a session was unmasked."""
        return replace(self, run_id=session.run_id, round=session.round)


def resolve_trust(peers: GivenKeys | Path | None, context: Context, past: Past) -> Trust:
    """Return whom this client believes: given keys, those of a file, or the first it met."""
    if isinstance(peers, GivenKeys):
        return peers
    named = context.node_config.get(PEERS_FILE)
    if peers is not None:
        return keys_from_file(peers)
    return keys_from_file(Path(str(named))) if named else FirstUse(past.known)


def keys_from_file(path: Path) -> GivenKeys:
    """Read public keys, 64 hex digits a line; empty lines and those with # are passed over.

    Raises
    ------
    ConfigError
        If the file cannot be read or holds anything else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("ascii")
        lines = [line.strip() for line in text.splitlines()]
        keys = [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]
    except (OSError, ValueError):
        keys = []
    if not keys or any(len(key) != _KEY for key in keys):
        raise ConfigError(
            "a file of peers needs public keys of 64 hex digits, one a line",
            came=f"{path.name}, which does not",
            action=f"correct the file that {PEERS_FILE} names",
        )
    return GivenKeys(frozenset(keys))

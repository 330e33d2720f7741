"""Relaying a decryptor's public key to the clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import INFO, WARNING
from typing import Any, TypeAlias

from flwr.common import log
from flwr.serverapp import Grid

from parity_flwr.core.encryption.group_secret import KEY_ID_BYTES
from parity_flwr.core.encryption.key_wrapping import MAX_ANNOUNCEMENT
from parity_flwr.core.encryption.terms import (
    KEY_ID,
    PHASE,
    PUBLIC,
    KeyHolding,
    Phase,
)
from parity_flwr.errors import RunError
from parity_flwr.strategies.encryption_setup import Encryption
from parity_flwr.strategies.key_relay import KeyRelay, Values, ask_about_keys, told_bytes


@dataclass
class DecryptorRelay:
    """Asks the decryptor for its public key once, and gives it to every node.

    Parameters
    ----------
    run_id : str
        Names the run; the announcement binds it.
    timeout_s : float
        How long to wait for each answer.
    identity : str
        The decryptor's.
    terms : mapping
        The parameters that the key must be for.
    """

    run_id: str
    timeout_s: float
    identity: str
    terms: Mapping[str, Any]
    key_id: bytes = b""
    holders: set[int] = field(default_factory=set)
    decryptor: int = 0
    _announcement: bytes = b""

    def update(self, grid: Grid, connected: Mapping[str, int]) -> None:
        """Bring the public key to every node that lacks it.

        Raises
        ------
        RunError
            If the decryptor is not there or gives no key.
        """
        decryptor = connected.get(self.identity)
        if decryptor is None:
            raise RunError(
                f"an encrypted run needs the decryptor {self.identity!r}",
                came=f"{len(connected)} other nodes",
                action="start it, or correct its identity",
            )
        if not self._announcement or decryptor != self.decryptor:
            self._publish(grid, decryptor)
        new = [
            node
            for node in connected.values()
            if node not in self.holders and node != decryptor
        ]
        request: Values = {PHASE: Phase.ADOPT.value, PUBLIC: self._announcement}
        answers = self._ask(grid, dict.fromkeys(new, request))
        for node, answer in answers.items():
            if told_bytes(answer, KEY_ID, KEY_ID_BYTES) == self.key_id:
                self.holders.add(node)
            else:
                log(WARNING, "\t> node %d did not take the public key", node)
        log(INFO, "Encryption: %d nodes have the decryptor's key", len(self.holders))

    def _publish(self, grid: Grid, decryptor: int) -> None:
        request: Values = {**self.terms, PHASE: Phase.PUBLISH.value}
        answer = self._ask(grid, {decryptor: request}).get(decryptor, {})
        announcement = answer.get(PUBLIC)
        if not isinstance(announcement, bytes) or len(announcement) > MAX_ANNOUNCEMENT:
            raise RunError(
                "an encrypted run needs the decryptor's public key",
                came="none",
                action="start a node with EncryptionMod(OwnKey(...))",
            )
        self.key_id, self._announcement = announcement[:KEY_ID_BYTES], announcement
        self.decryptor, self.holders = decryptor, set()

    def _ask(self, grid: Grid, requests: Mapping[int, Values]) -> dict[int, Values]:
        return ask_about_keys(grid, requests, run_id=self.run_id, timeout_s=self.timeout_s)


Relay: TypeAlias = KeyRelay | DecryptorRelay


def new_relay(encryption: Encryption, run_id: str) -> Relay:
    """Return the relay for who holds the key."""
    if encryption.key_holder is KeyHolding.CLIENTS:
        return KeyRelay(run_id, encryption.timeout_s)
    terms = encryption.terms(addends=encryption.most_addends, factor=1.0).to_values()
    return DecryptorRelay(run_id, encryption.timeout_s, encryption.decryptor, terms)

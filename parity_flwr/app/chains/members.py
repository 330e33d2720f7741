"""Who of a run's identities is registered on chain, and how the others get there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from parity_flwr.app.chains.members_file import Consent
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.contracts import identity_for
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.membership import identity_of, register_intent
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.protocols import Outbox
from parity_flwr.core.records import RoundRecord
from parity_flwr.core.signatures import Signer
from parity_flwr.core.wallet_signatures import WALLET_KEY_BYTES, wallet_address
from parity_flwr.errors import ChainError

SignerOf = Callable[[str], Signer | None]
"""Returns the key with which an identity signs its replies, None if that is not known here."""

MADE_CONSENT_ENDS = 4_102_444_800
"""2100-01-01 in seconds since 1970: a consent binds one registry, and counts once."""


class Members(Protocol):
    """Registers the identities of a run."""

    @property
    def known(self) -> Mapping[str, Member]:
        """Who is registered, or about to be, by the identity's name in the journal.

        One mapping, which grows.
        """
        ...

    def deadline(self, name: str) -> int:
        """Return when a member's consent ends, which readers need to check it."""
        ...

    def admit(self, record: RoundRecord) -> Sequence[Intent]:
        """Return the wishes that register whom this round shows first; each once a process.

        The outbox takes every wish once, whichever process asks again.
        """
        ...


class MadeMembers:
    """Makes a wallet, and where replies are not signed a node key, for every identity.

    An identity that signs its replies with a key that nobody here holds is left out: only
    who holds the key can consent. It earns all the same, and can be registered later.

    Parameters
    ----------
    keys : RunKeys
    deployment : Deployment, keyword-only
    outbox : Outbox, keyword-only
        Says who is being registered already.
    signer_of : callable, keyword-only
        The keys that the run's engine derived for its clients.
    """

    def __init__(
        self,
        keys: RunKeys,
        *,
        deployment: Deployment,
        outbox: Outbox,
        signer_of: SignerOf = lambda name: None,
    ) -> None:
        self._known: dict[str, Member] = {}
        self._keys = keys
        self._deployment = deployment
        self._outbox = outbox
        self._signer_of = signer_of

    @property
    def known(self) -> Mapping[str, Member]:
        """Who is registered, or about to be."""
        return self._known

    def admit(self, record: RoundRecord) -> Sequence[Intent]:
        """Return the wishes that register the identities that are new in this round."""
        standings = record.state.standings
        signed = any(standing.public_key for standing in standings.values())
        intents = []
        for name, standing in sorted(standings.items()):
            if name in self._known or not name or self._recall(name):
                continue
            signer = self._signer_of(name)
            if signer is None and not signed:
                signer = self._keys.of(name).signer
            if signer is not None and standing.public_key in ("", signer.public_key.hex()):
                intents.append(self._register(name, signer))
        return intents

    def deadline(self, name: str) -> int:
        """Return when the consents end that are made here."""
        return MADE_CONSENT_ENDS

    def _recall(self, name: str) -> bool:
        """Remember whom an earlier process of this run registered."""
        node_key = self._keys.registered(name)
        if not node_key:
            return False
        account = self._keys.of(name).wallet.address
        identity = identity_for(node_key, wallet=account)
        if self._outbox.find(f"register/{identity.hex()}") is None:
            return False
        self._known[name] = Member(identity=identity, account=account)
        return True

    def _register(self, name: str, signer: Signer) -> Intent:
        self._keys.note(name, signer.public_key)
        self._known[name], intent = register_intent(
            self._keys.of(name).wallet,
            signer,
            deployment=self._deployment,
            deadline=MADE_CONSENT_ENDS,
        )
        return intent


class FileMembers:
    """Registers the members of a file, when a round first shows them.

    Whoever signs its replies with other keys than it registers is left out: nobody can be
    blamed, or paid, for what another key signed.

    Parameters
    ----------
    consents : mapping of str to Consent
        By name.
    deployment : Deployment, keyword-only
    outbox : Outbox, keyword-only
    chain : Chain, keyword-only
        Says who is registered already.
    """

    def __init__(
        self,
        consents: Mapping[str, Consent],
        *,
        deployment: Deployment,
        outbox: Outbox,
        chain: Chain,
    ) -> None:
        self._known: dict[str, Member] = {}
        self._consents = consents
        self._deployment = deployment
        self._outbox = outbox
        self._chain = chain

    @property
    def known(self) -> Mapping[str, Member]:
        """Who is registered, or about to be."""
        return self._known

    def admit(self, record: RoundRecord) -> Sequence[Intent]:
        """Return the wishes that register the members that are new in this round.

        Raises
        ------
        ChainError
            A member's wallet is registered with another node key.
        """
        intents = []
        for name, standing in sorted(record.state.standings.items()):
            each = self._consents.get(name)
            if each is None or name in self._known:
                continue
            key, node_key = bytes.fromhex(standing.public_key), bytes.fromhex(each.node_key)
            if key and not signs_for(key, each.member, node_key=node_key):
                continue
            if not self._is_registered(each):
                intents.append(each.intent(self._deployment))
            self._known[name] = each.member
        return intents

    def deadline(self, name: str) -> int:
        """Return when a member's consent ends."""
        return self._consents[name].deadline

    def _is_registered(self, each: Consent) -> bool:
        if self._outbox.find(f"register/{each.member.identity.hex()}") is not None:
            return True
        found = identity_of(self._chain, each.account, deployment=self._deployment)
        if found not in (None, each.member.identity):
            raise ChainError(
                f"{ascii(each.name)[:60]} needs a wallet that is not registered otherwise",
                came=f"{each.account}, which has another node key",
                action="ask it for a consent of another wallet",
            )
        return found is not None


def signs_for(key: bytes, member: Member, *, node_key: bytes) -> bool:
    """Say whether a key that signs replies is a member's: its node key, or its wallet's."""
    if len(key) != WALLET_KEY_BYTES:
        return key == node_key
    try:
        return wallet_address(key) == member.account
    except ValueError:
        return False


class NoMembers:
    """Registers nobody: rounds are anchored, and rewards wait in the score list."""

    def __init__(self) -> None:
        self._known: dict[str, Member] = {}

    def deadline(self, name: str) -> int:
        """Return 0: there is no consent."""
        return 0

    @property
    def known(self) -> Mapping[str, Member]:
        """Who is registered, or about to be."""
        return self._known

    def admit(self, record: RoundRecord) -> Sequence[Intent]:
        """Return nothing."""
        return ()

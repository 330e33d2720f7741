"""Encrypted updates: a client mod that trains in clear and sends ciphertext."""

from __future__ import annotations

from typing import Any, ClassVar

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.encrypted_update import encrypt_update
from parity_flwr.clients.encryption_policy import EncryptionPolicy, disagreement
from parity_flwr.clients.key_holding import KeyAdopter, KeyHolder, KeyPublisher
from parity_flwr.clients.messages import (
    array_record,
    array_record_of,
    arrays_of,
    category,
    with_content,
)
from parity_flwr.clients.opening import open_sum
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.encryption.sealed_model import open_model
from parity_flwr.core.encryption.terms import (
    BOX,
    BOXES,
    HE_RECORD,
    KEY_ID,
    OFFER,
    OFFERS,
    PHASE,
    PUBLIC,
    RUN_ID,
    SEALED,
    Phase,
    Terms,
    typed,
)
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.errors import DataError

_MAX_OFFERS = 100_000
_ABOUT_KEYS = (Phase.OFFER, Phase.WRAP, Phase.UNWRAP, Phase.PUBLISH, Phase.ADOPT)


class EncryptionMod:
    """Send updates encrypted, help to share the key, open sums.

    Works with :class:`parity_flwr.strategies.EncryptedAggregation`. A train message from any
    other strategy is refused: it would carry the update in clear. The update is clipped or
    refused, weighted, rounded, packed and encrypted before anything leaves this mod. So it
    must be the first among ``inner`` of :func:`~parity_flwr.clients.parity_mods`, and mods
    that change the update (differential privacy) come after it.

    Parameters
    ----------
    keys : KeyHolder
        :class:`~parity_flwr.clients.ProvisionedSecret`,
        :class:`~parity_flwr.clients.AgreedSecret` or
        :class:`~parity_flwr.clients.DecryptorsKey`; on the decryptor itself
        :class:`~parity_flwr.clients.OwnKey`.
    policy : EncryptionPolicy, optional
        What this client agrees to.

    Examples
    --------
    >>> from parity_flwr.clients import ProvisionedSecret, parity_mods
    >>> keys = ProvisionedSecret(GroupSecret.generate())
    >>> mods = parity_mods(inner=[EncryptionMod(keys)])
    """

    hiding: ClassVar[Hiding] = Hiding.HE

    def __init__(self, keys: KeyHolder, *, policy: EncryptionPolicy | None = None) -> None:
        self._keys = keys
        self._policy = policy or EncryptionPolicy()

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Answer what is about encryption; pass the rest on."""
        record = message.content.config_records.get(HE_RECORD)
        if record is None:
            if category(message) == MessageType.TRAIN:
                raise disagreement("sends encrypted updates only", "a train message for others")
            return call_next(message, context)
        return self._answer(message, context, call_next, dict(record))

    def _answer(
        self,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
        values: dict[str, Any],
    ) -> Message:
        run_id = typed(values, RUN_ID, str)
        phase = typed(values, PHASE, str)
        if phase in _ABOUT_KEYS:
            told = self._share_key(Phase(phase), context, run_id, values)
            return Message(RecordDict({HE_RECORD: ConfigRecord(told)}), reply_to=message)
        # A reply to any phase but these two leaves in clear: no training in any other.
        trains = category(message) == MessageType.TRAIN
        if trains == (phase == Phase.MODEL):
            raise disagreement("trains for encrypted updates only", f"{phase!a:.40}")
        if phase == Phase.MODEL:
            secret = self._secret(context, run_id, values)
            return call_next(_readable(message, secret, run_id), context)
        terms = self._policy.check(Terms.from_values(values))
        if phase == Phase.UPDATE:
            return self._update(message, context, call_next, terms, values)
        if phase == Phase.OPEN:
            secret = self._secret(context, run_id, values)
            return open_sum(message, context, secret=secret, terms=terms, policy=self._policy)
        raise DataError("a message needs a known phase", came=ascii(phase)[:40], action="check")

    def _update(
        self,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
        terms: Terms,
        values: dict[str, Any],
    ) -> Message:
        run_id = typed(values, RUN_ID, str)
        encryptor = self._keys.encryptor(context, run_id, terms.plan)
        if encryptor.key_id != typed(values, KEY_ID, bytes):
            raise _wrong_key("another")
        readable = _readable(message, self._keys.secret(context, run_id), run_id)
        reply = call_next(readable, context)
        if reply.has_error():
            return reply
        return encrypt_update(
            readable, reply, encryptor=encryptor, terms=terms, policy=self._policy
        )

    def _share_key(
        self, phase: Phase, context: Context, run_id: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        if phase is Phase.OFFER:
            held = self._keys.secret(context, run_id)
            return {KEY_ID: held.id} if held else {OFFER: self._keys.offer(context, run_id)}
        if phase is Phase.WRAP:
            offers = typed(values, OFFERS, list)
            if len(offers) > _MAX_OFFERS:
                raise DataError("offers need a bound", came=str(len(offers)), action="check")
            boxes = self._keys.wrap(context, run_id, offers)
            held = self._keys.secret(context, run_id)
            return {BOXES: boxes, **({KEY_ID: held.id} if held else {})}
        if phase is Phase.UNWRAP:
            return {KEY_ID: self._keys.unwrap(context, run_id, typed(values, BOX, bytes)).id}
        return self._public_key(phase, context, run_id, values)

    def _public_key(
        self, phase: Phase, context: Context, run_id: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        if phase is Phase.PUBLISH and isinstance(self._keys, KeyPublisher):
            plan = self._policy.check(Terms.from_values(values)).plan
            return {PUBLIC: self._keys.publish(context, run_id, plan)}
        if phase is Phase.ADOPT and isinstance(self._keys, KeyAdopter):
            return {KEY_ID: self._keys.adopt(context, run_id, typed(values, PUBLIC, bytes))}
        raise disagreement("has no part in this way of holding keys", phase.value)

    def _secret(self, context: Context, run_id: str, values: dict[str, Any]) -> GroupSecret:
        secret = self._keys.secret(context, run_id)
        if secret is None or secret.id != typed(values, KEY_ID, bytes):
            raise _wrong_key("none" if secret is None else "another")
        return secret


def _wrong_key(came: str) -> DataError:
    return DataError("the round's key is needed", came=came, action="share it first")


def _readable(message: Message, secret: GroupSecret | None, run_id: str) -> Message:
    """Return the message as a client without encryption would get it."""
    name, _ = array_record_of(message)
    arrays = arrays_of(message)
    if SEALED in arrays:
        if secret is None:
            raise _wrong_key("none")
        arrays = open_model(arrays, secret, run_id=run_id)
    records = {k: v for k, v in message.content.items() if k not in (HE_RECORD, name)}
    return with_content(message, RecordDict({name: array_record(arrays), **records}))

"""Secure aggregation on the client: the server gets a masked vector, never an update."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.announced import require_announced
from parity_flwr.clients.messages import (
    NUM_EXAMPLES,
    arrays_of,
    category,
    with_content,
)
from parity_flwr.clients.peers import Past, resolve_trust
from parity_flwr.clients.signing import SignerSource, resolve_signer
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.core.secagg import client
from parity_flwr.core.secagg.delivery import unpack_delivery
from parity_flwr.core.secagg.messages import (
    pack_ids,
    unpack_advertisements,
    unpack_confirmations,
    unpack_subset,
)
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.quantise import Quantised
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.trust import GivenKeys
from parity_flwr.core.secagg.update import update_words
from parity_flwr.core.wire import (
    ADVERTISE,
    CONFIRM,
    MASK,
    MASKED_ARRAY,
    SECAGG_RECORD,
    SECAGG_STAGE,
    SHARE,
    UNMASK,
)
from parity_flwr.errors import ConfigError


class SecAggMod:
    """Answer train messages with masked updates only, for ``SecureAggregation``.

    Works around any train function or NumPyClient; evaluation passes. A train message that
    is no stage of secure aggregation is refused: otherwise a server need only ask. So is
    whatever would show more than a sum (docs/privacy-secagg.md lists the tricks): the client
    leaves the round with an error, and what it knew of it is forgotten.

    Secrets stand in ``Context.state`` while a round lasts: from the first stage to the
    last, or to the next evaluation or round. What stays is the last round that was
    unmasked, and the peers' identities.

    Put it among the ``inner`` mods of :func:`parity_flwr.clients.parity_mods`, before mods
    that change the update (attacks, local differential privacy).

    Parameters
    ----------
    signer : Signer or Path or callable
        The client's registered identity, as for :class:`parity_flwr.clients.SigningMod`.
    peers : GivenKeys or Path, optional
        The public keys of all clients, or a file with one hex key a line; by default the
        file named by "parity-peers" in the node's configuration, and without that whoever
        takes part is believed at first use (which trusts the server in the first round).
    policy : SecAggPolicy
        Least number of survivors and largest vector.
    clip : bool
        Cut numbers beyond the range instead of leaving the round; their count enters the
        sum.
    stochastic : bool
        Round at random, without bias, instead of to the nearest.

    Examples
    --------
    >>> from parity_flwr.clients import derived_signers
    >>> mod = SecAggMod(derived_signers(b"a simulation's secret"))
    """

    hiding: ClassVar[Hiding] = Hiding.SECAGG

    def __init__(
        self,
        signer: SignerSource,
        *,
        peers: GivenKeys | Path | None = None,
        policy: SecAggPolicy | None = None,
        clip: bool = False,
        stochastic: bool = False,
    ) -> None:
        self._signer = signer
        self._peers = peers
        self._policy = policy or SecAggPolicy()
        self._clip = clip
        self._stochastic = stochastic

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Answer one stage; pass on what is not training."""
        if category(message) == MessageType.EVALUATE:
            _forget(context)  # the round's training is over
        if category(message) != MessageType.TRAIN:
            return call_next(message, context)
        record = message.content.config_records.get(SECAGG_RECORD)
        if record is None:
            raise ConfigError(
                "this client needs secure aggregation to train",
                came="a train message without it",
                action="use the strategy SecureAggregation",
            )
        state = _stored(context)
        _forget(context)  # put back below; a stage that fails ends the session
        return self._answer(message, context, call_next, state=state, record=record)

    def _answer(
        self,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
        *,
        state: ClientState | None,
        record: ConfigRecord,
    ) -> Message:
        stage = record.get(SECAGG_STAGE)
        if stage == ADVERTISE:
            return self._advertise(message, context, record)
        if state is None:
            raise ConfigError(
                "this stage of secure aggregation needs the one before it",
                came="a client without a session",
                action="begin a new round",
            )
        if stage == SHARE:
            return self._share(message, context, state, record)
        if stage == MASK:
            return self._mask(message, context, call_next, state=state, record=record)
        if stage == CONFIRM:
            return self._confirm(message, context, state, record)
        if stage == UNMASK:
            return self._unmask(message, context, state, record)
        raise ConfigError(
            "a stage of secure aggregation needs a name",
            came=repr(stage)[:40],
            action="use the same version on both sides",
        )

    def _advertise(self, message: Message, context: Context, record: ConfigRecord) -> Message:
        session = Session.from_record(record)
        Past.of(context).require_new(session)
        state, advertisement = client.advertise(
            session,
            participant=context.node_id,
            signer=resolve_signer(self._signer, context),
            draw=secrets.token_bytes,
            policy=self._policy,
        )
        _store(context, state)
        return _reply(message, {"keys": advertisement.pack()})

    def _share(
        self, message: Message, context: Context, state: ClientState, record: ConfigRecord
    ) -> Message:
        past = Past.of(context)
        state, deal, known = client.share_keys(
            state,
            unpack_advertisements(record.get("keys"), most=state.session.addends),
            signer=resolve_signer(self._signer, context),
            trust=resolve_trust(self._peers, context, past),
            policy=self._policy,
        )
        past.remember(known).store(context)
        _store(context, state)
        return _reply(message, deal.to_record())

    def _mask(
        self,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
        *,
        state: ClientState,
        record: ConfigRecord,
    ) -> Message:
        delivery = unpack_delivery(record, state.participants, state.participant)
        plain = _without_record(message)
        base = arrays_of(plain)
        require_announced(state.session, plain, base)
        reply = call_next(plain, context)
        if reply.has_error():
            return reply
        words = self._words(state.session, base, reply).words
        state, masked = client.mask(state, words, delivery)
        _store(context, state)
        arrays = ArrayRecord({MASKED_ARRAY: Array(masked.words)})
        told = {"complaints": pack_ids(sorted(masked.complaints))}
        return _reply(message, told, arrays=arrays)

    def _words(self, session: Session, base: Mapping[str, Any], reply: Message) -> Quantised:
        counts = [
            each[NUM_EXAMPLES]
            for each in reply.content.metric_records.values()
            if NUM_EXAMPLES in each
        ]
        return update_words(
            session,
            base,
            arrays_of(reply),
            num_examples=counts[0] if len(counts) == 1 else -1,  # type: ignore[arg-type]
            clip=self._clip,
            rounding_key=secrets.token_bytes(32) if self._stochastic else None,
        )

    def _confirm(
        self, message: Message, context: Context, state: ClientState, record: ConfigRecord
    ) -> Message:
        state, signature = client.confirm(
            state,
            unpack_subset(state.participants.ids, record.get("survivors")),
            signer=resolve_signer(self._signer, context),
            policy=self._policy,
        )
        _store(context, state)
        return _reply(message, {"signature": signature})

    def _unmask(
        self, message: Message, context: Context, state: ClientState, record: ConfigRecord
    ) -> Message:
        release = client.unmask(state, unpack_confirmations(record, state.survivors))
        Past.of(context).unmasked(state.session).store(context)
        return _reply(message, release.to_record())


def _without_record(message: Message) -> Message:
    records = {n: each for n, each in message.content.items() if n != SECAGG_RECORD}
    return with_content(message, RecordDict(records))


def _reply(
    message: Message, values: Mapping[str, Any], *, arrays: ArrayRecord | None = None
) -> Message:
    content = RecordDict({SECAGG_RECORD: ConfigRecord(dict(values))})
    if arrays is not None:
        content["arrays"] = arrays
        content["metrics"] = MetricRecord({NUM_EXAMPLES: 1})  # the weight is in the sum
    return Message(content, reply_to=message)


def _store(context: Context, state: ClientState) -> None:
    context.state[SECAGG_RECORD] = ConfigRecord(state.to_record())


def _stored(context: Context) -> ClientState | None:
    record = context.state.config_records.get(SECAGG_RECORD)
    return ClientState.from_record(record) if record is not None else None


def _forget(context: Context) -> None:
    if SECAGG_RECORD in context.state:
        del context.state[SECAGG_RECORD]

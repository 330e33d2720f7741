"""Serving as a validator: a client judges the candidate model on its own data."""

from __future__ import annotations

import math

from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.messages import NUM_EXAMPLES, category, config_of, with_content
from parity_flwr.clients.signing import SignerSource, resolve_signer
from parity_flwr.core.consensus import Vote, supported_vote
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.signatures import ballot_payload
from parity_flwr.core.validation import WORST_RISE, loss_rise
from parity_flwr.core.wire import (
    BASE_RECORD,
    CANDIDATES,
    LOSS_RISES,
    PARITY_RECORD,
    PUBLIC_KEY,
    ROUND,
    RUN,
    SIGNATURE,
    TOLERANCE,
    VOTE,
    candidate_record,
)


class ValidationMod:
    """Answer a validation request with a ballot; everything else passes.

    A request is an evaluate message that holds the model as it was and one or more
    candidates. The client's own evaluation is run on each, its "loss" compared, and the
    reply carries the rises in millionths; for a single candidate also a vote, accept if the
    loss rose by less than the tolerance, and with a signer a signature over
    :func:`parity_flwr.core.signatures.ballot_payload`. A client that cannot tell (its loss
    on the old model is not finite) abstains.

    Put it before the adapter; :func:`parity_flwr.clients.parity_mods` does.

    Parameters
    ----------
    signer : Signer or Path or callable, optional
        As for :class:`parity_flwr.clients.SigningMod`.

    Examples
    --------
    >>> mod = ValidationMod()
    """

    def __init__(self, signer: SignerSource | None = None) -> None:
        self._signer = signer

    def __call__(
        self, message: Message, context: Context, call_next: ClientAppCallable
    ) -> Message:
        """Judge the candidates if the message asks for it."""
        config = config_of(message)
        if category(message) != MessageType.EVALUATE or CANDIDATES not in config:
            return call_next(message, context)
        count = int(str(config[CANDIDATES]))
        records = message.content.array_records
        names = [BASE_RECORD, *(candidate_record(k) for k in range(count))]
        losses = []
        for name in names:
            reply = call_next(_evaluation(message, records[name]), context)
            if reply.has_error():
                return reply
            losses.append(_loss(reply))
        rises = [loss_rise(losses[0], loss) for loss in losses[1:]]
        return self._ballot(message, context, rises)

    def _ballot(self, message: Message, context: Context, rises: list[int | None]) -> Message:
        known = [WORST_RISE if rise is None else rise for rise in rises]
        ballot = ConfigRecord({LOSS_RISES: known})
        if len(rises) == 1:
            vote = self._vote(message, rises[0])
            ballot[VOTE] = vote.value
            if vote is Vote.ABSTAIN:
                ballot[LOSS_RISES] = []
            self._sign(message, context, ballot, None if vote is Vote.ABSTAIN else known[0])
        metrics = MetricRecord({NUM_EXAMPLES: 0})
        return Message(
            RecordDict({"metrics": metrics, PARITY_RECORD: ballot}), reply_to=message
        )

    def _vote(self, message: Message, rise: int | None) -> Vote:
        if rise is None:
            return Vote.ABSTAIN
        tolerance = int(str(config_of(message).get(TOLERANCE, 0)))
        return supported_vote(rise, tolerance=tolerance)

    def _sign(
        self, message: Message, context: Context, ballot: ConfigRecord, rise: int | None
    ) -> None:
        config = config_of(message)
        if self._signer is None or RUN not in config:
            return
        signer = resolve_signer(self._signer, context)
        candidate = message.content.array_records[candidate_record(0)]
        payload = ballot_payload(
            run_id=str(config[RUN]),
            round=int(str(config[ROUND])),
            candidate_hash=model_hash({n: a.numpy() for n, a in candidate.items()}),
            vote=str(ballot[VOTE]),
            loss_rise=rise,
        )
        ballot[PUBLIC_KEY] = signer.public_key
        ballot[SIGNATURE] = signer.sign(payload)


def _evaluation(message: Message, arrays: ArrayRecord) -> Message:
    """Return the request as a plain evaluate message for one model."""
    config = {k: v for k, v in config_of(message).items() if k not in (CANDIDATES, TOLERANCE)}
    content = RecordDict({"arrays": arrays, "config": ConfigRecord(config)})
    return with_content(message, content, kind=MessageType.EVALUATE)


def _loss(reply: Message) -> float:
    """Return the client's own loss, NaN if its evaluation reports none."""
    for metrics in reply.content.metric_records.values():
        loss = metrics.get("loss")
        if isinstance(loss, (int, float)):
            return float(loss)
    return math.nan

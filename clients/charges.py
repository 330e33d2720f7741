"""Charges of a client's ledger travel with the reply that they paid for."""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable

from parity_flwr.clients.messages import category, with_parity
from parity_flwr.core.canonical import dumps, loads
from parity_flwr.core.privacy.charge_report import MAX_CHARGES, ChargeReport
from parity_flwr.core.privacy.ledger import Charge
from parity_flwr.core.wire import CHARGES

STATE_RECORD = "parity-charged"
_FIELD = "charges"


def charges_mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Tell the server what this client charged since it last told, for the journal.

    Only charges that :class:`~parity_flwr.clients.client_ledger.ClientLedger` stored before;
    they hold noise, sampling rate and number of steps, and no data. They leave with replies
    that hold arrays: those of a round that failed, with the next one that does not.

    Examples
    --------
    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(mods=[charges_mod])
    """
    reply = call_next(message, context)
    if category(message) != MessageType.TRAIN or reply.has_error():
        return reply
    if not reply.content.array_records:
        return reply
    waiting = _waiting(context)
    if not waiting:
        return reply
    _keep(context, waiting[MAX_CHARGES:])
    return with_parity(reply, {CHARGES: ChargeReport(waiting[:MAX_CHARGES]).pack()})


def note_charge(context: Context, charge: Charge) -> None:
    """Remember a charge until :func:`charges_mod` has told the server."""
    _keep(context, (*_waiting(context), charge))


def _waiting(context: Context) -> tuple[Charge, ...]:
    record = context.state.config_records.get(STATE_RECORD)
    body = record.get(_FIELD) if record is not None else None
    return loads(body, ChargeReport).charges if isinstance(body, bytes) else ()


def _keep(context: Context, charges: tuple[Charge, ...]) -> None:
    if charges:
        context.state[STATE_RECORD] = ConfigRecord({_FIELD: dumps(ChargeReport(charges))})
    elif STATE_RECORD in context.state:
        del context.state[STATE_RECORD]

"""What clients say that they charged: believed under their own name, within reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flwr.app import ConfigRecord, Message

from parity_flwr.core.privacy.charge_report import ChargeReport
from parity_flwr.core.privacy.ledger import Charge, Unit
from parity_flwr.core.wire import CHARGES, PARITY_RECORD
from parity_flwr.errors import JournalError
from released_runs import CLIENTS, LINEAR, run
from trust_runs import Spoil


def reporting(body: bytes) -> Spoil:
    def spoil(reply: Message) -> list[Message]:
        present = dict(reply.content.config_records[PARITY_RECORD])
        reply.content[PARITY_RECORD] = ConfigRecord({**present, CHARGES: body})
        return [reply]

    return spoil


HONEST = Charge(
    run="list", round=1, noise_multiplier=LINEAR.noise_multiplier, unit=Unit.EXAMPLE
)


@pytest.mark.parametrize(
    "body",
    [
        b"\x80\x04",
        b"{}",
        b"[" * 70_000,
        ChargeReport((replace(HONEST, run="another"),)).pack(),
        ChargeReport((replace(HONEST, round=2),)).pack(),
        ChargeReport((replace(HONEST, count=10**9),)).pack(),
        ChargeReport((replace(HONEST, noise_multiplier=1e-9),)).pack(),
        ChargeReport((HONEST,) * 65).pack(),
    ],
)
def test_reports_that_cannot_be_are_left_out_and_the_update_counts(body: bytes) -> None:
    honest, _ = run(LINEAR)
    found, journal = run(LINEAR, spoil={1: reporting(body)})
    assert (found == honest).all()
    assert {each.client for each in journal.charged} == {
        f"client-{k}" for k in range(CLIENTS) if k != 1
    }


def test_a_client_reports_under_its_own_name_only() -> None:
    body = ChargeReport((replace(HONEST, client="client-3"),)).pack()
    _, journal = run(LINEAR, spoil={1: reporting(body)})
    assert sorted(each.client for each in journal.charged) == [
        f"client-{k}" for k in range(CLIENTS)
    ]
    with pytest.raises(JournalError):
        ChargeReport.unpack(bytes(1 << 20))

"""What members earned, have at stake and did, as tables in a terminal."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

from rich.text import Text

from parity_flwr.app.text import printable
from parity_flwr.cli.output import Output, plain_table


def draw_standings(out: Output, found: dict[str, Any]) -> None:
    """Draw what ledger and registry say of every member."""
    if not found["clients"]:
        out.line(f"{found['run_id']}: no round counts on chain yet")
        return
    out.line(f"round {found['round']} of the ledger {found['ledger']}")
    numbers = ("reputation", "stake", "unbonding", "balance")
    table = plain_table("client", "account", "status", *numbers, right=numbers)
    for each in found["clients"]:
        table.add_row(
            Text(printable(each["identity"], limit=64)),
            each["account"],
            each["status"],
            f"{each['reputation']:.0f}",
            each["stake"],
            each["unbonding"],
            each["balance"],
        )
    out.table(table)


def draw_rewards(out: Output, found: dict[str, Any]) -> None:
    """Draw what every client earned, may claim and was paid."""
    numbers = ("earned", "claimable", "claimed")
    table = plain_table("client", "account", *numbers, right=numbers)
    for each in found["clients"]:
        name = Text(printable(each["identity"], limit=64))
        table.add_row(name, _short(each["account"]), *(_cents(each[one]) for one in numbers))
    out.table(table)
    out.line(
        f"round {found['round']} counts on chain; {_cents(found['carried'])} tokens carried "
        "over; exact amounts: --json"
    )


def _short(account: str | None) -> str:
    return f"{account[:8]}..{account[-6:]}" if account else "not registered"


def _cents(tokens: str) -> str:
    """Return an amount with two decimals, rounded down: nobody may claim what is shown over."""
    return str(Decimal(tokens).quantize(Decimal("0.01"), rounding=ROUND_DOWN))


def draw_offences(out: Output, found: dict[str, Any]) -> None:
    """Draw offences, and what became of each."""
    if not found["offences"]:
        out.line(f"{found['run_id']}: the journal shows no offence of a member")
        return
    numbers = ("round", "severity", "staked", "slashed")
    table = plain_table("client", "offence", *numbers, "evidence", right=numbers)
    for each in found["offences"]:
        table.add_row(
            Text(printable(each["identity"], limit=64)),
            each["kind"] + (", signed" if each["signed"] else ""),
            str(each["round"]),
            f"{each['severity'] / 10_000:g} %",
            each["staked"],
            each["slashed"] or "–",
            each["evidence"],
        )
    out.table(table)


def draw_stake(out: Output, found: dict[str, Any]) -> None:
    """Draw what a member has at stake."""
    out.line(
        f"{found['account']} has {found['stake']} tokens at stake, {found['unbonding']} "
        f"unbonding, {found['balance']} at hand"
    )

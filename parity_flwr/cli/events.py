"""`parity events`."""

from __future__ import annotations

from typing import Any

import click

from parity_flwr.cli.members import run_chain, run_desk
from parity_flwr.cli.output import Output, examples, json_option, quiet_option, write_json
from parity_flwr.cli.progress import Meter


@click.command(epilog=examples("parity events latest", "parity events latest --follow --json"))
@run_chain
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@quiet_option
@json_option
def events(reference: str, where: str, follow: bool, quiet: bool, as_json: bool) -> None:
    """Show the events of a run's contracts; with --follow and --json one object a line."""
    from parity_flwr.app.chains.event_stream import follow_events, run_events

    desk, out = run_desk(reference, where), Output(as_json, quiet=quiet)
    if not follow:
        with Meter(out, "reading the chain"):
            found = run_events(desk)
        result = {"run_id": desk.run.id, "events": found}
        out.result(result, lambda out: _draw_all(out, found))
        return
    for each in follow_events(desk):
        if as_json:
            write_json(each)
        else:
            _draw(out, each)


def _draw_all(out: Output, events: list[dict[str, Any]]) -> None:
    for each in events:
        _draw(out, each)


def _draw(out: Output, event: dict[str, Any]) -> None:
    fields = ", ".join(f"{name} {_short(value)}" for name, value in event["fields"].items())
    dropped = "dropped by a reorganisation: " if event.get("dropped") else ""
    out.line(f"{event['block']:>6}  {dropped}{event['contract']}.{event['event']}  {fields}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 44 else f"{text[:18]}...{text[-6:]}"

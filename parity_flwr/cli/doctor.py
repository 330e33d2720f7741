"""`parity doctor`."""

from __future__ import annotations

import click

from parity_flwr.app.doctor import Diagnosis, Health, examine
from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option

_STYLES = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "bold red"}


def _draw(out: Output, diagnosis: Diagnosis) -> None:
    for check in diagnosis.checks:
        action = f" -> {check.action}" if check.action else ""
        out.line(
            f"{check.health.value:4}  {check.name}: {check.detail}{action}",
            style=_STYLES[check.health],
        )


@click.command(epilog=examples("parity doctor", "parity doctor --json"))
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check versions, extras, disk, ports, Ray and clock; exit 1 if anything fails."""
    diagnosis = examine(Environment.read().home)
    checks = [
        {
            "name": check.name,
            "status": check.health.value,
            "detail": check.detail,
            "action": check.action,
        }
        for check in diagnosis.checks
    ]
    out = Output(as_json)
    out.result({"ok": diagnosis.ok, "checks": checks}, lambda out: _draw(out, diagnosis))
    context.exit(0 if diagnosis.ok else 1)

"""`parity doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.doctor.findings import Diagnosis

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def _draw(out: Output, found: Diagnosis, *, quiet: bool) -> None:
    for check in found.checks:
        if quiet and check.health.value == "ok":
            continue
        action = f" -> {check.action}" if check.action else ""
        out.line(
            f"{check.health.value:4}  {check.name}: {check.detail}{action}",
            style=_STYLES[check.health.value],
        )


@click.command(
    epilog=examples(
        "parity doctor",
        "parity doctor --chain http://127.0.0.1:8545 --wallet publisher",
        "parity doctor --ipfs http://127.0.0.1:5001 --extra tabular --port 9092 --json",
    )
)
@click.option(
    "--chain", "where", metavar="embedded|URL", help="Check this chain, and who pays there."
)
@click.option("--chain-id", type=click.IntRange(1), help="The only chain that will do.")
@click.option("--wallet", metavar="NAME", help="Whose balance has to pay.  [default]")
@click.option("--ipfs", metavar="URL", help="Check an IPFS node's RPC.  [$PARITY_IPFS_URL]")
@click.option(
    "--extra", "extras", multiple=True, metavar="NAME", help="One that has to be installed."
)
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="One of 127.0.0.1 that has to be free.",
)
@click.option(
    "--client-cpus",
    type=click.FloatRange(0, min_open=True),
    help="What a simulated client takes of Ray.  [1]",
)
@quiet_option
@json_option
@click.pass_context
def doctor(
    context: click.Context,
    where: str | None,
    chain_id: int | None,
    wallet: str | None,
    ipfs: str | None,
    extras: tuple[str, ...],
    ports: tuple[int, ...],
    client_cpus: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Check packages, disk, ports, Ray, clock and services; exit 1 if anything fails.

    A warning does not fail. The clock is compared with those of the services that are
    checked, for nothing else is asked over a network.
    """
    from parity_flwr.app.doctor.examine import Asked, examine
    from parity_flwr.app.doctor.services import ChainAsked

    if where is None and (wallet is not None or chain_id is not None):
        raise ConfigError(
            "--wallet and --chain-id need a chain", came="none", action="give --chain"
        )
    environment, out = Environment.read(), Output(as_json, quiet=quiet)
    asked = Asked(
        chain=ChainAsked(where=where, chain_id=chain_id, wallet=wallet) if where else None,
        ipfs=environment.ipfs_url if ipfs is None else ipfs,
        extras=extras,
        ports=ports,
        client_cpus=client_cpus,
    )
    with Meter(out, "checking"):
        found = examine(environment, asked)
    out.result(found.to_json(), lambda out: _draw(out, found, quiet=quiet))
    context.exit(0 if found.ok else 1)

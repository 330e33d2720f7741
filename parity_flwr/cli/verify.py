"""`parity verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.errors import ConfigError

if TYPE_CHECKING:
    from parity_flwr.app.pace import Steps
    from parity_flwr.app.verification.trust import Trust
    from parity_flwr.app.verification.verify import Verification

_EPILOG = examples(
    "parity verify latest",
    "parity verify latest --json",
    "parity verify latest --chain http://127.0.0.1:8545 --trust 0x5aAe...BeAed",
    "parity verify --bundle run.parity",
    "parity verify 20261120-064512-ab12 --updates ~/.parity/runs/20261120-064512-ab12/updates",
)
_MARKS = {True: ("ok", "green"), False: ("FAIL", "bold red"), None: ("skip", "dim")}


def show_lines(out: Output, found: Verification) -> None:
    """Write one line for each check."""
    for line in found.lines:
        mark, style = _MARKS[line.ok]
        out.line(f"{mark:4}  {line.name}: {line.detail}", style=style)


@click.command(epilog=_EPILOG)
@click.argument("reference", metavar="RUN", required=False)
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Verify this file of 'parity bundle' instead, offline.",
)
@click.option(
    "--trust",
    metavar="ROOT|CID|ADDRESS",
    help="What you have from elsewhere: the head or root that 'parity bundle' shows, the "
    "CID of the last published round, or the address of the ledger on chain.",
)
@click.option(
    "--chain", "url", metavar="URL", help="The node of a run that was published to one."
)
@click.option(
    "--updates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Recompute the facts too, from the updates kept in this folder.",
)
@quiet_option
@json_option
@click.pass_context
def verify(
    context: click.Context,
    reference: str | None,
    bundle: Path | None,
    trust: str | None,
    url: str | None,
    updates: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Recompute a run's decisions from its journal; exit 1 if anything differs."""
    from parity_flwr.app.verification.trust import Trust

    _require_one(reference, bundle, updates)
    trusted = Trust.parse(trust) if trust is not None else None
    out = Output(as_json, quiet=quiet)
    with Meter(out, f"verifying {bundle or reference}") as meter:
        name, found, more = (
            _verify_bundle(bundle, trusted, url, meter)
            if bundle is not None
            else _verify_run(reference or "", updates, trusted, url, meter)
        )

    def human(out: Output) -> None:
        show_lines(out, found)
        out.line(f"{name}: {'ok' if found.ok else 'does not hold'}", style="bold")

    lines = [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in found.lines]
    result = {**more, "verify": "ok" if found.ok else "failed", "lines": lines}
    out.result(result, human)
    context.exit(0 if found.ok else 1)


def _verify_run(
    reference: str, updates: Path | None, trust: Trust | None, url: str | None, steps: Steps
) -> tuple[str, Verification, dict[str, Any]]:
    from parity_flwr.app.verification.verify import verify as verify_run

    folder = RunFolder.find(reference, Environment.read().home)
    found = verify_run(folder, updates=updates, trust=trust, url=url, steps=steps)
    return folder.id, found, {"run_id": folder.id}


def _verify_bundle(
    path: Path, trust: Trust | None, url: str | None, steps: Steps
) -> tuple[str, Verification, dict[str, Any]]:
    from parity_flwr.app.bundle.verifying import verify_bundle

    found = verify_bundle(path, trust=trust, url=url, steps=steps)
    more = {"run_id": found.run_id, "bundle": str(path), "anchored": found.anchored}
    return str(path), found, more


def _require_one(reference: str | None, bundle: Path | None, updates: Path | None) -> None:
    if (reference is None) == (bundle is None):
        raise ConfigError(
            "parity verify needs a RUN or --bundle FILE",
            came="neither" if bundle is None else "both",
            action="see 'parity verify --help'",
        )
    if bundle is not None and updates is not None:
        raise ConfigError(
            "--updates needs a RUN",
            came="a bundle, which holds its own",
            action="leave --updates away",
        )

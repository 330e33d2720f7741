"""`parity report`."""

from __future__ import annotations

from pathlib import Path

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter

_EPILOG = examples(
    "parity report latest",
    "parity report 20261120 --output report.html",
    "parity report ./my-run --json",
)


@click.command(epilog=_EPILOG)
@click.argument("reference", metavar="RUN")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where the report goes."
)
@quiet_option
@json_option
def report(reference: str, output: Path | None, quiet: bool, as_json: bool) -> None:
    """Write a run's report (one HTML file) and its metrics.jsonl."""
    from parity_flwr.app.report.build import write_report
    from parity_flwr.app.verification.verify import verify

    folder = RunFolder.find(reference, Environment.read().home)
    out = Output(as_json, quiet=quiet)
    with Meter(out, f"verifying {folder.id}") as meter:
        verification = verify(folder, steps=meter)
    with Meter(out, f"drawing the report of {folder.id}"):
        path = write_report(folder, output=output, verification=verification)
    metrics = folder.path / "metrics.jsonl"

    def human(out: Output) -> None:
        out.line(f"report   {path}")
        out.line(f"metrics  {metrics}")
        if not verification.ok:
            out.line(
                f"the journal does not hold; see: parity verify {folder.id}", style="bold red"
            )

    result = {
        "run_id": folder.id,
        "report": str(path),
        "metrics": str(metrics),
        "verify": "ok" if verification.ok else "failed",
    }
    out.result(result, human)

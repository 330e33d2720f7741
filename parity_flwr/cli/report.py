"""`parity report`."""

from __future__ import annotations

from pathlib import Path

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.output import Output, examples, json_option

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
@json_option
def report(reference: str, output: Path | None, as_json: bool) -> None:
    """Write a run's report (one HTML file) and its metrics.jsonl."""
    from parity_flwr.app.report.build import write_report
    from parity_flwr.app.verification.verify import verify

    folder = RunFolder.find(reference, Environment.read().home)
    verification = verify(folder)
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
    Output(as_json).result(result, human)

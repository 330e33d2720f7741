"""`parity bundle`."""

from __future__ import annotations

from pathlib import Path

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter

_EPILOG = examples(
    "parity bundle latest --output run.parity",
    "parity verify --bundle run.parity",
)


@click.command(epilog=_EPILOG)
@click.argument("reference", metavar="RUN")
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option(
    "--updates",
    is_flag=True,
    help="Include the clients' updates that were kept; private data may be read out of them.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option(
    "--chain", "url", metavar="URL", help="The node of a run that was published to one."
)
@quiet_option
@json_option
def bundle(
    reference: str,
    output: Path,
    updates: bool,
    force: bool,
    url: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write one file with which anybody can verify a run offline."""
    from parity_flwr.app.bundle.chain_section import NAME, encode_evidence
    from parity_flwr.app.bundle.writing import bundle_run, require_output
    from parity_flwr.app.chains.evidence import run_evidence
    from parity_flwr.app.content import content_store

    require_output(output, overwrite=force)
    environment = Environment.read()
    folder = RunFolder.find(reference, environment.home)
    store = content_store(folder, environment)
    out = Output(as_json, quiet=quiet)
    with Meter(out, f"bundling {folder.id}") as meter:
        evidence = run_evidence(folder.path, url=url)
        records = {} if evidence is None else {NAME: encode_evidence(evidence)}
        made = bundle_run(
            folder, output, updates=updates, store=store, records=records, steps=meter
        )

    def human(out: Output) -> None:
        out.line(f"{output}: {made.bundle.end} bytes, {made.rounds} rounds of {folder.id}")
        out.line(f"root  {made.bundle.root}  (of this file)")
        out.line(f"head  {made.head}  (of the journal)")
        out.line("whoever has one of the two from you verifies with --trust", style="dim")

    result = {
        "run_id": made.bundle.contents.run_id,
        "bundle": str(output),
        "bytes": made.bundle.end,
        "rounds": made.rounds,
        "published": made.published,
        "root": made.bundle.root,
        "head": made.head,
    }
    out.result(result, human)

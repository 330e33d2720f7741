"""`parity predict`: new rows through the model of a run on a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.cli.run_table import draw_metrics

_EPILOG = examples(
    "parity predict latest new.csv",
    "parity predict 20261120-0645 new.csv --output answers.csv",
    "parity predict copied/model new.csv.gz --json",
)


@click.command(epilog=_EPILOG)
@click.argument("run")
@click.argument("rows", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write.  [ROWS.predictions.csv in this directory]",
)
@quiet_option
@json_option
def predict(run: str, rows: Path, output: Path | None, quiet: bool, as_json: bool) -> None:
    """Predict the target for each line of the CSV file ROWS with the model of RUN.

    RUN may also be the path of a model/ folder that was copied elsewhere. ROWS needs the
    columns that the model was trained on; with the target's column, metrics are printed.
    """
    from parity_flwr.app.tabular.predicting import locate_model, predict_file

    folder = locate_model(run, Environment.read().home)
    target = output or Path(f"{rows.name.partition('.')[0]}.predictions.csv")
    out = Output(as_json, quiet=quiet)
    with Meter(out, f"predicting {rows.name}") as meter:
        found = predict_file(folder, rows, target, steps=meter)
    out.result(found, lambda out: _draw(out, found))


def _draw(out: Output, found: dict[str, Any]) -> None:
    from parity_flwr.app.tabular.file_errors import named

    out.line(f"predicted  {found['target']} for {found['rows']} rows")
    if found["ignored_columns"]:
        shown = named(found["ignored_columns"])
        out.line(f"ignored    {shown}: the model was trained without")
    draw_metrics(out, found["metrics"], f"{found['judged_rows']} rows with a target")
    for note in found["notes"]:
        out.line(f"note       {note}")
    out.line(f"written    {found['output']}")

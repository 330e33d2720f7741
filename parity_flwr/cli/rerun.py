"""`parity rerun`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.asked import AskedRun, RecordedRun, read_asked
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.runs.repeating import changes, comparison, original_of
from parity_flwr.cli.asked import arguments_of, replaced
from parity_flwr.cli.demo import demo
from parity_flwr.cli.output import Output, examples, json_option, quiet_option
from parity_flwr.cli.run import run
from parity_flwr.errors import ConfigError

_COMMANDS = {"run": run, "demo": demo}


class _Held(Output):
    """Keeps a command's result instead of writing it."""

    def __init__(self, as_json: bool, *, quiet: bool) -> None:
        super().__init__(as_json, quiet=quiet)
        self.data: Mapping[str, Any] = {}
        self.human: Callable[[Output], None] = lambda out: None

    def result(self, data: Mapping[str, Any], human: Callable[[Output], None]) -> None:
        """Keep both."""
        self.data, self.human = data, human


@click.command(
    epilog=examples(
        "parity rerun latest",
        "parity rerun 20261120-064512-ab12 --seed 7 --json",
        "parity rerun latest --chain off",
    )
)
@click.argument("reference", metavar="RUN")
@click.option("--seed", type=click.IntRange(0), help="Another seed; an app needs 'seed'.")
@click.option(
    "--allow-changed-data", is_flag=True, help="Even if a file is not what it was then."
)
@click.option("--chain", metavar="off|embedded|URL", help="Instead of the run's.")
@click.option(
    "--run-config", multiple=True, metavar="K=V", help="More of it: passwords are not kept."
)
@quiet_option
@json_option
def rerun(
    reference: str,
    seed: int | None,
    allow_changed_data: bool,
    chain: str | None,
    run_config: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Repeat a run as a new one, and say whether the same model comes out.

    Whether it does or not, the exit code is that of the run.
    """
    folder = RunFolder.find(reference, Environment.read().home)
    recorded, original = read_asked(folder), original_of(folder)
    known = changes(recorded, allow_changed_data=allow_changed_data)
    asked = _adapted(recorded, seed=seed, chain=chain, run_config=run_config)
    command = _COMMANDS[asked.command]
    arguments = arguments_of(asked, command)
    held = _Held(as_json, quiet=quiet)
    held.progress.print(f"again: parity {asked.command} {shlex.join(arguments)}")
    with command.make_context(asked.command, arguments, obj=held) as context:
        command.invoke(context)
    if seed is not None and seed != recorded.asked.options.get("seed"):
        known = (*known, f"the seed is {seed} now")
    known = (*known, *_by_design(asked))
    found = comparison(original, held.data, known=known)
    Output(as_json).result(
        {**held.data, "rerun": found}, lambda out: _draw(out, held.human, found)
    )


def _adapted(
    recorded: RecordedRun, *, seed: int | None, chain: str | None, run_config: tuple[str, ...]
) -> AskedRun:
    """Return what is asked this time.

    Raises
    ------
    ConfigError
        The command is unknown, an option does not fit it, or a secret is missing.
    """
    asked = recorded.asked
    if asked.command not in _COMMANDS:
        raise ConfigError(
            "repeating needs a run of 'parity run' or 'parity demo'",
            came=repr(asked.command[:40]),
            action="use the version of parity-flwr that made the run",
        )
    given = tuple(text.partition("=")[0] for text in run_config)
    missing = [
        name
        for name in asked.withheld
        if not (name == "chain" and chain) and name.removeprefix("run_config ") not in given
    ]
    if missing:
        raise ConfigError(
            "repeating needs what was not kept because it may be secret",
            came=f"no {', '.join(missing)}"[:200],
            action="give it again with --chain or --run-config",
        )
    changed: dict[str, Any] = {"chain": chain} if chain is not None else {}
    if chain in ("off", "embedded"):
        asked = _without(asked, "wallet", "members")
    more = list(run_config)
    if seed is not None and _is_app(asked):
        more.append(f"seed={seed}")
    elif seed is not None:
        changed["seed"] = seed
    if more:
        changed["run_config"] = [*asked.options.get("run_config", []), *more]
    return replaced(asked, changed)


def _without(asked: AskedRun, *names: str) -> AskedRun:
    kept = {name: value for name, value in asked.options.items() if name not in names}
    return AskedRun(command=asked.command, options=kept, paths=asked.paths)


def _is_app(asked: AskedRun) -> bool:
    return asked.command == "run" and "target" not in asked.options


def _by_design(asked: AskedRun) -> tuple[str, ...]:
    """Return why a run cannot give the same model twice, if that is so."""
    if asked.options.get("privacy", "off") == "off":
        return ()
    return ("the noise of a privacy level is secret and drawn anew",)


def _draw(out: Output, human: Callable[[Output], None], found: Mapping[str, Any]) -> None:
    human(out)
    if found["same"]:
        out.line(f"rerun      the same model as {found['of']}", style="green")
        return
    before = found["original_model_hash"] or "none"
    out.line(f"rerun      another model than {found['of']}: {before}", style="yellow")
    for reason in found["reasons"]:
        out.line(f"because    {reason}")

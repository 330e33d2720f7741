"""`parity`: the command line of parity-flwr.

Exit codes: 0 done, 1 a check found something, 2 what the user gave is wrong, 3 what was
under way failed, 130 interrupted, 141 the reader of our output went away.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click

from parity_flwr import __version__
from parity_flwr.app.environment import Environment, inherited
from parity_flwr.cli.audit_privacy import audit_privacy
from parity_flwr.cli.ban import ban, unban
from parity_flwr.cli.bench import bench
from parity_flwr.cli.bundle import bundle
from parity_flwr.cli.chain import chain
from parity_flwr.cli.check import check
from parity_flwr.cli.compare import compare
from parity_flwr.cli.completing import VARIABLE, answer_shell
from parity_flwr.cli.completion import completion
from parity_flwr.cli.consent import consent
from parity_flwr.cli.demo import demo
from parity_flwr.cli.doctor import doctor
from parity_flwr.cli.economy import economy
from parity_flwr.cli.events import events
from parity_flwr.cli.members import claim, rewards, slash, stake, unstake
from parity_flwr.cli.output import examples, report_error
from parity_flwr.cli.predict import predict
from parity_flwr.cli.price import price
from parity_flwr.cli.report import report
from parity_flwr.cli.rerun import rerun
from parity_flwr.cli.run import run
from parity_flwr.cli.runs import reputation, runs
from parity_flwr.cli.verify import verify
from parity_flwr.cli.wallet import wallet
from parity_flwr.errors import ConfigError, ParityError, RunError

INTERRUPTED = 130
BROKEN_PIPE = 141

_EPILOG = examples(
    "parity demo",
    "parity run examples/quickstart --clients 10",
    "parity report latest",
    "parity verify latest",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="parity")
@click.pass_context
def parity(context: click.Context) -> None:
    """Federated learning that knows whom to believe.

    RUN is a run's id, the unique beginning of one, `latest`, or the path of its folder.
    Runs lie in $PARITY_HOME/runs (by default ~/.parity/runs).
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_COMMANDS = (
    demo,
    run,
    check,
    rerun,
    predict,
    compare,
    report,
    runs,
    reputation,
    consent,
    rewards,
    claim,
    stake,
    unstake,
    slash,
    events,
    verify,
    bundle,
    ban,
    unban,
    doctor,
    bench,
    economy,
    price,
    audit_privacy,
    chain,
    wallet,
    completion,
)
for _command in _COMMANDS:
    parity.add_command(_command)


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are printed, never raised."""
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 (a process boundary: all ends in one line)
        code = _report(error, arguments)
        if isinstance(error, OSError):  # of stdout, perhaps: a full disk
            _silence_stdout()
        return code


def _invoke(arguments: list[str]) -> int:
    try:
        with parity.make_context("parity", arguments) as context:
            parity.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    return 0


def _usage_error(error: click.ClickException) -> ConfigError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "parity"
    return ConfigError(
        f"'{path}' needs arguments and options as in its help",
        came=error.format_message().rstrip("."),
        action=f"see '{path} --help'",
    )


def _unexpected(error: Exception) -> ParityError:
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return RunError(
        "this command needs to work",
        came=f"an unexpected {detail}",
        action="run it again with --debug, and report the traceback",
    )


def _report(error: Exception, arguments: Sequence[str]) -> int:
    if _debugging(arguments):
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        error = _usage_error(error)
    elif not isinstance(error, ParityError):
        error = _unexpected(error)
    try:
        return report_error(error, as_json="--json" in arguments)
    except OSError:  # nobody reads, or there is no room
        _silence_stdout()
        return error.exit_code


def _debugging(arguments: Sequence[str]) -> bool:
    with suppress(ConfigError):
        return "--debug" in arguments or Environment.read().debug
    return False


def sound_streams() -> None:
    """Make stdin, stdout and stderr fit to use, whatever this process was started with.

    A closed one leads nowhere: the next file that is opened would get its number, and what
    is printed would go there. A letter that the locale's encoding lacks becomes a `?`.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", errors="replace"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _silence_stdout() -> None:
    """Point stdout at nothing, so that flushing it at exit does not fail a second time."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command line of this process (the entry point of `parity`)."""
    sound_streams()
    asked = inherited().get(VARIABLE)
    sys.exit(answer_shell(parity, asked) if asked else execute(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""`parity check`: what `parity run` would do with the same options, without doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from parity_flwr.app.runs.size import shown_size
from parity_flwr.app.text import printable
from parity_flwr.cli.output import Output, examples
from parity_flwr.cli.run import run
from parity_flwr.errors import ParityError

if TYPE_CHECKING:
    from parity_flwr.app.checking.result import Check

_NOT_HERE = frozenset({"quiet", "timeout", "resume"})
_WOULD_NOT_RUN = 2


class _Taker(Output):
    """Takes the request that `parity run` makes of its options."""

    def __init__(self) -> None:
        super().__init__(as_json=False, quiet=True)
        self.request: object = None

    def takes(self, request: object) -> bool:
        """Keep it, and say that it is taken."""
        self.request = request
        return True


class _CheckCommand(click.Command):
    """A command with the options of `parity run`, whatever they are."""

    def invoke(self, ctx: click.Context) -> None:
        """Find out and print what a run would do."""
        checked = _checked(ctx.params)
        found = checked.to_json()
        Output(bool(ctx.params["as_json"])).result(found, lambda out: _draw(out, found))
        ctx.exit(0 if found["runs"] else _WOULD_NOT_RUN)


check = _CheckCommand(
    "check",
    params=[param for param in run.params if param.name not in _NOT_HERE],
    help="""Say what `parity run` would do with the same options, and train nothing.

    Configuration, memory, disk, privacy budget and gas as far as they can be known. Exit
    code 0 if it would run, 2 if not, with every problem found.""",
    epilog=examples(
        "parity check data.csv --target price --model linear --privacy medium",
        "parity check examples/quickstart --clients 20",
        "parity check . --run-config num-server-rounds=50 --chain embedded --json",
    ),
)


def _checked(params: Mapping[str, Any]) -> Check:
    """Ask `parity run` what it would run, and look into that."""
    from parity_flwr.app.checking.application import check_application
    from parity_flwr.app.checking.result import Check
    from parity_flwr.app.checking.table import check_table
    from parity_flwr.app.tabular.preparing import TabularRequest

    taker, found = _Taker(), Check()
    context = click.Context(run, info_name="check", obj=taker)
    context.params = dict.fromkeys(_NOT_HERE) | {"quiet": True} | dict(params)
    try:
        with context:
            run.invoke(context)
    except ParityError as error:
        found.refuse(error)
        return found
    request: Any = taker.request
    if isinstance(request, TabularRequest):
        return check_table(request)
    return check_application(request)


def _draw(out: Output, found: Mapping[str, Any]) -> None:
    for name, draw in _SECTIONS.items():
        if found.get(name):
            draw(out, found[name])
    for line in found["unknown"]:
        out.line(f"unknown    {line}")
    for line in found["warnings"]:
        out.line(f"warning    {line}", style="bold yellow")
    for each in found["problems"]:
        line = f"{each['needed']}; got {each['came']}; {each['action']}"
        out.line(f"problem    {printable(line, limit=1000)}", style="bold red")
    out.line(
        "would run" if found["runs"] else "would not run",
        style="bold" if found["runs"] else "bold red",
    )


def _draw_configuration(out: Output, found: Mapping[str, Any]) -> None:
    for name, value in found.items():
        if value not in (None, [], {}, ""):
            out.line(f"{name.replace('_', ' '):18} {_shown(name, value)}")


def _shown(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return shown_size(value)
    if isinstance(value, dict):
        value = [f"{key} ({kind})" for key, kind in value.items()]
    if isinstance(value, list):
        most = ", ".join(printable(each, limit=40) for each in value[:20])
        return most + (f" and {len(value) - 20} more" if len(value) > 20 else "")
    return printable(value)


def _draw_privacy(out: Output, found: Mapping[str, Any]) -> None:
    for line in found.get("meaning", []):
        out.line(line)
    if "would_spend" in found:
        out.line(
            f"privacy            would spend epsilon {found['would_spend']:.4g} of "
            f"{found['epsilon']:g} at delta {found['delta']:g}"
        )


def _draw_memory(out: Output, found: Mapping[str, Any]) -> None:
    workers = f", {found['workers']} workers of {shown_size(found['client_bytes'])}"
    out.line(
        f"memory             about {shown_size(found['total_bytes'])}: server "
        f"{shown_size(found['server_bytes'])}{workers if found['workers'] else ''}"
    )


def _draw_disk(out: Output, found: Mapping[str, Any]) -> None:
    parts = (f"{name} {shown_size(size)}" for name, size in found["parts"].items())
    out.line(f"disk               about {shown_size(found['bytes'])}: {', '.join(parts)}")


def _draw_chain(out: Output, found: Mapping[str, Any]) -> None:
    cost = int(found["cost_wei"])
    price = f", {cost / 10**18:.6f} coins at {found['gas_price_wei'] / 10**9:.3g} gwei"
    out.line(
        f"chain              {found['transactions']} transactions, {found['gas']} gas on "
        f"{found['where']}{price if cost else ''}"
    )


_SECTIONS: Mapping[str, Callable[[Output, Mapping[str, Any]], None]] = {
    "configuration": _draw_configuration,
    "privacy": _draw_privacy,
    "memory": _draw_memory,
    "disk": _draw_disk,
    "chain": _draw_chain,
}

"""`parity economy equilibrium`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from parity_flwr.cli.output import Output, examples, json_option, plain_table
from parity_flwr.core.economy.amounts import MILLION, scaled, tokens

if TYPE_CHECKING:
    from parity_flwr.core.economy.equilibrium import CheatingGame

_TOKENS, _SHARES = 18, 6


@click.command(
    epilog=examples(
        "parity economy equilibrium --detection 0.05 --honest 6 --cheating 10 --slash 640",
        "parity economy equilibrium --detection 0.9 --honest 6 --cheating 6 --gain 50 --json",
    )
)
@click.option("--detection", required=True, help="Chance of being caught in a round, 0 to 1.")
@click.option("--honest", required=True, help="Tokens that honest work earns a round.")
@click.option("--cheating", required=True, help="Tokens that the pool pays an uncaught cheat.")
@click.option("--gain", default="0", show_default=True, help="Tokens it gets elsewhere.")
@click.option("--slash", default="0", show_default=True, help="Tokens lost when caught.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="The horizon.",
)
@click.option("--discount", default="1", show_default=True, help="Of the next round's token.")
@click.option(
    "--exclusion",
    type=click.IntRange(0, 100_000),
    default=100_000,
    show_default=True,
    help="Rounds without earnings after being caught.",
)
@json_option
def equilibrium(
    detection: str,
    honest: str,
    cheating: str,
    gain: str,
    slash: str,
    rounds: int,
    discount: str,
    exclusion: int,
    as_json: bool,
) -> None:
    """Say whether honesty is an equilibrium (P-13), and from which gain cheating pays.

    All is for one participant that is honest for the whole horizon, or cheats until it is
    caught. Amounts in JSON are strings of base units, 10^18 to the token.
    """
    from parity_flwr.core.economy.equilibrium import CheatingGame

    game = CheatingGame(
        detection=(scaled(detection, decimals=_SHARES, name="--detection"),),
        honest_reward=scaled(honest, decimals=_TOKENS, name="--honest"),
        cheating_reward=scaled(cheating, decimals=_TOKENS, name="--cheating"),
        gain=scaled(gain, decimals=_TOKENS, name="--gain"),
        slash=scaled(slash, decimals=_TOKENS, name="--slash"),
        horizon=rounds,
        discount=scaled(discount, decimals=_SHARES, name="--discount"),
        exclusion=exclusion,
    )
    result = _solved(game)
    Output(as_json).result(result, lambda out: _draw(out, result))


def _solved(game: CheatingGame) -> dict[str, Any]:
    from parity_flwr.core.economy.equilibrium import equilibrium as solve
    from parity_flwr.core.economy.equilibrium import least_detection

    found, least = solve(game), least_detection(game)
    even = found.break_even
    return {
        "what": "equilibrium",
        "holds": found.holds,
        "honest": str(found.honest),
        "cheating": str(found.cheating),
        "gain": str(found.gain),
        "margin": str(found.margin),
        "break_even_gain": None if even is None else str(even),
        "least_detection": None if least is None else least / MILLION,
    }


def _draw(out: Output, result: dict[str, Any]) -> None:
    table = plain_table("over the horizon", "tokens", right=("tokens",))
    for name in ("honest", "cheating", "gain", "margin"):
        table.add_row(name, tokens(int(result[name])))
    out.table(table)
    even, least = result["break_even_gain"], result["least_detection"]
    out.line(f"honesty is {'an' if result['holds'] else 'no'} equilibrium")
    out.line(f"cheating pays from {'no' if even is None else tokens(int(even))} gain a round")
    out.line(f"least detection: {'none is enough' if least is None else least}")

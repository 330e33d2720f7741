"""`parity economy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_flwr.cli.equilibrium import equilibrium
from parity_flwr.cli.listing import listed
from parity_flwr.cli.output import Output, examples, json_option, plain_table, quiet_option
from parity_flwr.cli.progress import Meter
from parity_flwr.core.economy.amounts import UNIT, scaled

if TYPE_CHECKING:
    from parity_flwr.app.economy.simulate import Simulation

_TOKENS = 18
_ATTACKS = "sign_flip,label_flip,alie,on_off,free_rider,mimic"


@click.group()
def economy() -> None:
    """Play the economy: who earns what, and when cheating stops paying."""


economy.add_command(equilibrium)


@economy.command(
    epilog=examples(
        "parity economy simulate",
        "parity economy simulate --rounds 200 --seeds 0,1,2 --output economy --json",
        "parity economy simulate --attacks mimic --cost 2 --chain off",
    )
)
@click.option("--attacks", default=_ATTACKS, show_default=True, help="Names between commas.")
@click.option(
    "--rounds",
    type=click.IntRange(1, 10_000),
    default=200,
    show_default=True,
    help="Of each federation.",
)
@click.option(
    "--clients",
    type=click.IntRange(4, 200),
    default=10,
    show_default=True,
    help="How many participate.",
)
@click.option("--fraction", type=float, default=0.2, show_default=True, help="Who cheats.")
@click.option("--seeds", default="0", show_default=True, help="Numbers between commas.")
@click.option(
    "--partition", default="dirichlet", show_default=True, help="How the data are divided."
)
@click.option("--dataset", default="digits", show_default=True, help="What is learned.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with DATASET.npz; the bundled digits need none.",
)
@click.option("--pool", default="100", show_default=True, help="Tokens that a round pays.")
@click.option("--stake", default="1000", show_default=True, help="Tokens at stake, each.")
@click.option("--cost", default="4", show_default=True, help="Tokens of work a round.")
@click.option("--bribe", default="10", show_default=True, help="Tokens a cheat a round.")
@click.option("--penalty", default="500", show_default=True, help="Base penalty, tokens.")
@click.option(
    "--fall",
    default="0.02",
    show_default=True,
    help="Share of the base penalty that a fall of reputation costs.",
)
@click.option(
    "--participation",
    type=click.Choice(("attendance", "weight")),
    default="attendance",
    show_default=True,
    help="What F of P-28 is.",
)
@click.option(
    "--chain",
    type=click.Choice(("embedded", "off")),
    default="embedded",
    show_default=True,
    help="Where rewards and slashes are settled too.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for economy.json, economy.png and economy.svg.",
)
@quiet_option
@json_option
def simulate(
    attacks: str,
    rounds: int,
    clients: int,
    fraction: float,
    seeds: str,
    partition: str,
    dataset: str,
    data: Path | None,
    pool: str,
    stake: str,
    cost: str,
    bribe: str,
    penalty: str,
    fall: str,
    participation: str,
    chain: str,
    output: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Play honest and cheating participants; real training, lies, rewards and slashes.

    Each attack is a federation of its own, beside the same one with everybody honest.
    Amounts in JSON are strings of base units, 10^18 to the token.
    """
    from parity_flwr.app.economy.market import Market
    from parity_flwr.app.economy.onchain import chain_settler
    from parity_flwr.app.economy.simulate import simulate as play
    from parity_flwr.core.economy.claims import Participation

    market = Market(
        attacks=listed(attacks, str, "attacks"),
        rounds=rounds,
        clients=clients,
        fraction=fraction,
        seeds=listed(seeds, int, "seeds"),
        partition=partition,
        dataset=dataset,
        data=data,
        pool=scaled(pool, decimals=_TOKENS, name="--pool"),
        stake=scaled(stake, decimals=_TOKENS, name="--stake"),
        cost=scaled(cost, decimals=_TOKENS, name="--cost"),
        bribe=scaled(bribe, decimals=_TOKENS, name="--bribe"),
        base_penalty=scaled(penalty, decimals=_TOKENS, name="--penalty"),
        quality=scaled(fall, decimals=6, name="--fall"),
        participation=Participation(participation),
    )
    out = Output(as_json, quiet=quiet)
    with Meter(out, "playing") as meter:
        done = play(
            market,
            settler=chain_settler if chain == "embedded" else None,
            on_progress=meter.watch,
        )
    result = done.to_json()
    if output is not None:
        result["files"] = [str(path) for path in _write(output, done, result)]
    out.result(result, lambda out: _draw(out, result))


def _write(folder: Path, done: Simulation, result: dict[str, Any]) -> list[Path]:
    import json

    from parity_flwr.app.economy.plot import draw
    from parity_flwr.files import atomic_file

    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "economy.json": (json.dumps(result, indent=1) + "\n").encode("ascii"),
        "economy.png": draw(done, kind="png"),
        "economy.svg": draw(done, kind="svg"),
    }
    for name, content in contents.items():
        with atomic_file(folder / name) as file:
            file.write(content)
    return [folder / name for name in contents]


def _draw(out: Output, result: dict[str, Any]) -> None:
    numbers = (
        "caught",
        "per round",
        "honest",
        "cheating",
        "bribes",
        "pays from",
        "accuracy lost",
    )
    table = plain_table("attack", *numbers, right=numbers)
    for each in result["attacks"]:
        bribe = each["break_even_bribe"]
        table.add_row(
            each["attack"],
            f"{each['caught']}/{each['cheats']}",
            f"{each['detection']:.3f}",
            _tokens(each["honest_net"]),
            _tokens(each["cheating_net"]),
            _tokens(each["bribes"]),
            "never" if bribe is None else _tokens(bribe),
            f"{100 * each['damage']:.1f}",
        )
    out.table(table)
    out.line("tokens that a cheat would have made honestly, made, and got from outside; pays")
    out.line("from: bribe a round of uncaught cheating; accuracy lost: points.")
    for each in result["chain"]:
        out.line(
            f"{each['attack']}, seed {each['seed']}: {each['transactions']} transactions,"
            f" balances equal to the unit"
        )
    for path in result.get("files", ()):
        out.line(path)


def _tokens(amount: str) -> str:
    return f"{int(amount) / UNIT:.1f}"

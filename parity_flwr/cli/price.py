"""`parity price`."""

from __future__ import annotations

from typing import Any

import click

from parity_flwr.cli.output import Output, examples, json_option, plain_table
from parity_flwr.core.economy import pricing
from parity_flwr.core.economy.amounts import scaled, tokens
from parity_flwr.errors import ConfigError

_TOKEN_DECIMALS, _DECIMALS = 18, 6


@click.command(
    epilog=examples(
        "parity price --base 2 --demand 30 --supply 10 --phi 1.5 --complexity 1.2",
        "parity price --cpu-seconds 3600 --memory-gb-hours 8 --network-gb 0.5 --json",
    )
)
@click.option("--base", metavar="TOKENS", help="Price of the task without demand.")
@click.option("--demand", type=click.IntRange(0, pricing.MAX_COUNT), help="Waiting tasks.")
@click.option("--supply", type=click.IntRange(0, pricing.MAX_COUNT), help="Runners.")
@click.option("--phi", default="1", show_default=True, help="Elasticity, above 0.")
@click.option("--complexity", default="1", show_default=True, help="Of the task.")
@click.option("--cpu-seconds", default="0", help="CPU time used.")
@click.option("--memory-gb-hours", default="0", help="Memory times time used.")
@click.option("--storage-gb", default="0", help="Stored.")
@click.option("--network-gb", default="0", help="Sent and received.")
@click.option(
    "--cycles", type=click.IntRange(0, pricing.MAX_COUNT), default=0, help="Of computation."
)
@json_option
def price(
    base: str | None,
    demand: int | None,
    supply: int | None,
    phi: str,
    complexity: str,
    cpu_seconds: str,
    memory_gb_hours: str,
    storage_gb: str,
    network_gb: str,
    cycles: int,
    as_json: bool,
) -> None:
    """Price a task by demand and supply (P-29), and by the resources it uses (P-30).

    The price needs --base, --demand and --supply; the cost, at least one resource. Amounts
    are exact; in JSON they are strings of base units, 10^18 to the token.
    """
    usage = pricing.Usage(
        cpu=_factor(cpu_seconds, "--cpu-seconds"),
        memory=_factor(memory_gb_hours, "--memory-gb-hours"),
        storage=_factor(storage_gb, "--storage-gb"),
        network=_factor(network_gb, "--network-gb"),
        cycles=cycles,
    )
    result: dict[str, Any] = {"what": "price"}
    if base is not None or demand is not None or supply is not None:
        result["task"] = str(_task_price(base, demand, supply, phi, complexity))
    if usage != pricing.Usage():
        costs = pricing.usage_costs(usage)
        result["resources"] = {name: str(cost) for name, cost in costs.items()}
        result["fee"] = str(pricing.network_fee(usage))
        result["total"] = str(pricing.total_cost(usage))
    if len(result) == 1:
        raise ConfigError(
            "a price needs --base, --demand and --supply, or a resource",
            came="neither",
            action="see 'parity price --help'",
        )
    Output(as_json).result(result, lambda out: _draw(out, result))


def _factor(text: str, name: str) -> int:
    return scaled(text, decimals=_DECIMALS, name=name)


def _task_price(
    base: str | None, demand: int | None, supply: int | None, phi: str, complexity: str
) -> int:
    if base is None or demand is None or supply is None:
        given = {"--base": base, "--demand": demand, "--supply": supply}
        raise ConfigError(
            "the price of a task needs --base, --demand and --supply",
            came=f"no {', '.join(name for name, value in given.items() if value is None)}",
            action="give all three",
        )
    market = pricing.Market(
        demand=demand,
        supply=supply,
        phi=_factor(phi, "--phi"),
        complexity=_factor(complexity, "--complexity"),
    )
    return pricing.task_price(scaled(base, decimals=_TOKEN_DECIMALS, name="--base"), market)


def _draw(out: Output, result: dict[str, Any]) -> None:
    table = plain_table("what", "tokens", right=("tokens",))
    for name, cost in result.get("resources", {}).items():
        table.add_row(name, tokens(int(cost)))
    for name in ("fee", "total", "task"):
        if name in result:
            table.add_row(name, tokens(int(result[name])))
    out.table(table)

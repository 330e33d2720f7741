"""Every check that was asked for, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parity_flwr.app.doctor.findings import Check, Diagnosis
from parity_flwr.app.doctor.machine import (
    check_clock,
    check_disk,
    check_flower_port,
    check_home,
    check_loopback,
    check_port,
)
from parity_flwr.app.doctor.packages import check_extras, check_packages, check_python
from parity_flwr.app.doctor.ray import check_ray
from parity_flwr.app.doctor.services import ChainAsked, check_chain, check_ipfs, check_time
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.connecting import EMBEDDED


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be checked besides the machine.

    Parameters
    ----------
    chain : ChainAsked, optional
        A chain, and who pays there.
    ipfs : str
        The URL of an IPFS node's RPC; empty for none.
    extras : tuple of str
        Extras that have to be installed.
    ports : tuple of int
        Ports of 127.0.0.1 that have to be free.
    client_cpus : float, optional
        CPUs that one simulated client takes.
    """

    chain: ChainAsked | None = None
    ipfs: str = ""
    extras: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    client_cpus: float | None = None


def examine(environment: Environment, asked: Asked | None = None) -> Diagnosis:
    """Make every check.

    Raises
    ------
    ConfigError
        What is asked for makes no sense.
    """
    asked = asked or Asked()
    return Diagnosis(
        checks=(
            check_python(),
            *check_packages(),
            *check_extras(asked.extras),
            check_home(environment.home),
            check_disk(environment.home),
            check_loopback(),
            check_flower_port(),
            *map(check_port, asked.ports),
            *check_ray(asked.client_cpus),
            check_clock(),
            *_services(asked, environment),
        )
    )


def _services(asked: Asked, environment: Environment) -> Iterator[Check]:
    if asked.chain is not None:
        yield from check_chain(asked.chain, environment)
    if asked.ipfs:
        own = asked.ipfs == environment.ipfs_url
        yield check_ipfs(asked.ipfs, environment.ipfs_token if own else "")
    yield from _times(asked)


def _times(asked: Asked) -> Iterable[Check]:
    chain = asked.chain.where if asked.chain is not None else EMBEDDED
    urls = [url for url in (chain, asked.ipfs) if url and url != EMBEDDED]
    return (check for url in urls for check in check_time(url))

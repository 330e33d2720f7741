"""Checks of the services that a run is to use: a chain's node, an IPFS node."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from parity_flwr.app.chains.keys import DEFAULT_WALLET, shown_address
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.doctor.findings import Check, Health, failed, place
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import EMBEDDED, connect
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.errors import ChainError, ConfigError, ContentError, MissingExtraError

TIMEOUT_S = 5.0
_MOST_SKEW_S, _MUCH_SKEW_S = 30.0, 5.0
_GAS_OF_A_ROUND = 500_000  # generous: measured is below half of it
_ROUNDS = 10


@dataclass(frozen=True, kw_only=True)
class ChainAsked:
    """Which chain is to be used, and by whom.

    Parameters
    ----------
    where : str
        "embedded" or a URL.
    chain_id : int, optional
        The only chain that will do.
    wallet : str, optional
        Whose coins have to pay.
    """

    where: str
    chain_id: int | None = None
    wallet: str | None = None


def check_chain(asked: ChainAsked, environment: Environment) -> list[Check]:
    """Check that a chain answers, is the right one, and that the wallet can pay there.

    Raises
    ------
    ConfigError
        `asked.where` is neither "embedded" nor a URL.
    """
    places = ChainPlaces(environment.home)
    folder = places.embedded if asked.where == EMBEDDED and places.embedded.is_dir() else None
    name = "chain" if asked.where == EMBEDDED else f"chain {place(asked.where)}"
    try:
        chain = connect(asked.where, folder=folder, timeout_s=TIMEOUT_S)
    except MissingExtraError as error:
        return [failed(name, error)]
    except ChainError as error:
        action = "start the node, or correct the URL and the firewall before it"
        return [Check(name=name, health=Health.FAIL, detail=error.came, action=action)]
    with chain if isinstance(chain, EmbeddedChain) else nullcontext():
        try:
            return [
                *_identity(name, chain, asked, places),
                *_balance(chain, asked, places, environment),
                *_block_time(chain),
            ]
        except ChainError as error:
            return [failed(name, error)]


def _identity(name: str, chain: Chain, asked: ChainAsked, places: ChainPlaces) -> list[Check]:
    found = chain.chain_id
    if asked.chain_id not in (None, found):
        detail = f"the node is of chain {found}, not {asked.chain_id}"
        action = f"give the URL of a node of chain {asked.chain_id}, or --chain-id {found}"
        return [Check(name="chain id", health=Health.FAIL, detail=detail, action=action)]
    head = chain.block("latest")
    height = head.number if head else "none"
    checks = [Check(name=name, health=Health.OK, detail=f"chain {found}, block {height}")]
    others = [
        path.stem.removeprefix("deployment-")
        for path in sorted(places.deployment(found).parent.glob("deployment-*.json"))
    ]
    if str(found) in others:
        return [*checks, _contracts(chain, places)]
    if others and asked.chain_id is None and asked.where != EMBEDDED:
        detail = f"{found}; this home has contracts on {', '.join(others)[:100]} only"
        action = "give another URL, or deploy here: parity chain deploy --chain URL"
        checks.append(Check(name="chain id", health=Health.WARN, detail=detail, action=action))
    return checks


def _contracts(chain: Chain, places: ChainPlaces) -> Check:
    try:
        deployment = places.load(chain.chain_id)
        if deployment is not None:
            deployment.check(chain)
    except (ChainError, ConfigError) as error:
        return failed("contracts", error)
    return Check(name="contracts", health=Health.OK, detail="this home's are there")


def _balance(
    chain: Chain, asked: ChainAsked, places: ChainPlaces, environment: Environment
) -> list[Check]:
    try:
        address = _address(asked, places, environment)
    except ConfigError as error:
        return [failed("wallet", error)]
    if address is None:
        return []
    balance, fee = chain.balance(address), chain.fees().max_fee * _GAS_OF_A_ROUND
    health = (
        Health.FAIL if not balance else Health.WARN if balance < _ROUNDS * fee else Health.OK
    )
    rounds = f", gas for about {balance // fee} rounds" if fee and balance else ""
    return [
        Check(
            name="balance",
            health=health,
            detail=f"{address} has {balance / 10**18:.6g} coins{rounds}",
            action="" if health is Health.OK else f"send coins for gas to {address}",
        )
    ]


def _address(asked: ChainAsked, places: ChainPlaces, environment: Environment) -> str | None:
    """Return who pays, None on the embedded chain, where coins are free."""
    if asked.wallet is not None:
        return shown_address(places, asked.wallet)
    if asked.where == EMBEDDED:
        return None
    if environment.chain_key is not None:
        from parity_flwr.chain_bridge.wallet import Wallet

        return Wallet.from_hex(environment.chain_key).address
    return shown_address(places, DEFAULT_WALLET)


def _block_time(chain: Chain) -> list[Check]:
    """Look for a block from the future; an old one says nothing, as a chain may stand still."""
    head = chain.block("latest")
    ahead = head.timestamp - time.time() if head is not None else 0.0
    if ahead <= _MOST_SKEW_S:
        return []
    return [
        Check(
            name="clock",
            health=Health.WARN,
            detail=f"the chain's last block is {ahead:.0f} s ahead of this clock",
            action="set the clock (timedatectl set-ntp true), if the chain is no test chain",
        )
    ]


def check_ipfs(url: str, token: str = "") -> Check:
    """Check that an IPFS node's RPC answers and can store.

    Raises
    ------
    ConfigError
        The URL or the token cannot be used.
    """
    from parity_flwr.chain_bridge.content.http import Service

    service = Service(url=url, token=token, timeout_s=TIMEOUT_S, deadline_s=2 * TIMEOUT_S)
    name = f"ipfs {place(url)}"
    try:
        answers = service.ask("POST", "/api/v0/version")
    except ContentError as error:
        action = "start the node (ipfs daemon), or correct --ipfs: its RPC, often port 5001"
        return Check(name=name, health=Health.FAIL, detail=error.came, action=action)
    version = str(answers[0].get("Version", "")) if answers else ""
    if not version:
        action = "give the URL of an IPFS node's RPC, often port 5001"
        detail = "something else than an IPFS node answers there"
        return Check(name=name, health=Health.FAIL, detail=detail, action=action)
    return Check(name=name, health=Health.OK, detail=f"version {ascii(version)[1:-1][:40]}")


def check_time(url: str, *, now: Callable[[], float] = time.time) -> list[Check]:
    """Compare this clock with the ``Date`` that a service's answer carries.

    Which answer it is does not matter. A service that does not answer or names no date says
    nothing: other checks name the first.
    """
    import httpx

    try:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            before = now()
            with client.stream("GET", url) as answer:
                middle = (before + now()) / 2
                date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return []
    skew = middle - (date + 0.5)  # a Date is cut to seconds
    size = abs(skew)
    health = (
        Health.FAIL
        if size > _MOST_SKEW_S
        else Health.WARN
        if size > _MUCH_SKEW_S
        else Health.OK
    )
    side = "ahead of" if skew > 0 else "behind"
    return [
        Check(
            name=f"clock beside {place(url)}",
            health=health,
            detail=f"within {_MUCH_SKEW_S:g} s"
            if health is Health.OK
            else f"{size:.0f} s {side} it",
            action="" if health is Health.OK else "set the clock: timedatectl set-ntp true",
        )
    ]

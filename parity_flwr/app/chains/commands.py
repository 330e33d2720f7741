"""What ``parity chain`` does, as plain functions that return plain data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from parity_flwr.app.chains.keys import choose_wallet, require_coins
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    fund_pool,
    next_round,
)
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import Intent
from parity_flwr.errors import ChainError, ConfigError, NodeError

_GAS_OF_A_PAYMENT = 21_000


@dataclass(frozen=True)
class ChainDesk:
    """One chain, one home: where the commands work.

    Parameters
    ----------
    where : str
        "embedded" or a URL.
    environment : Environment
        Keys, passwords and the home.
    """

    where: str
    environment: Environment

    @property
    def places(self) -> ChainPlaces:
        """The home's files."""
        return ChainPlaces(self.environment.home)

    @contextmanager
    def chain(self) -> Iterator[Chain]:
        """Connect, and let go afterwards."""
        opened = connect(self.where, folder=self.places.embedded)
        with contextlib.ExitStack() as stack:
            if isinstance(opened, EmbeddedChain):
                stack.enter_context(opened)
            yield opened

    @contextmanager
    def sender(self, chain: Chain, name: str | None) -> Iterator[Sender]:
        """Take the chosen wallet's key, and give it back afterwards."""
        wallet = choose_wallet(
            self.places,
            self.environment,
            where=self.where,
            chain_id=chain.chain_id,
            name=name,
        )
        require_coins(chain, wallet)
        confirmations = 0 if chain.chain_id in DEVELOPMENT_CHAINS else 2
        sender = Sender(
            chain,
            wallet=wallet,
            outbox=MemoryOutbox(),
            locks=self.places.locks,
            chain_id=chain.chain_id,
            settings=SenderSettings(confirmations=confirmations),
        )
        try:
            yield sender
        finally:
            sender.close()

    def deploy(
        self, *, settings: DeploymentSettings, pool: int, wallet: str | None, force: bool
    ) -> dict[str, Any]:
        """Deploy the contracts, fill the pool, and write both down."""
        with self.chain() as chain:
            known = self.places.load(chain.chain_id)
            if known is not None and not force and _is_there(known, chain):
                raise ConfigError(
                    f"deploying needs a chain without a deployment of this home "
                    f"({chain.chain_id})",
                    came=f"one with its ledger at {known.ledger}",
                    action="use it, or add --force to start anew",
                )
            with self.sender(chain, wallet) as sender:
                deployment = deploy(sender, chain, settings=settings)
                path = self.places.save(deployment)
                if pool:
                    fund_pool(sender, deployment, amount=pool, key="pool")
        return {**_plain(deployment), "file": str(path), "pool": str(pool)}

    def fund(self, address: str, *, wei: int, wallet: str | None) -> dict[str, Any]:
        """Send coins for gas from the chosen wallet to an address."""
        to = _checked(address)
        with self.chain() as chain, self.sender(chain, wallet) as sender:
            sender.submit(Intent(key="fund", to=to, value=wei, gas=_GAS_OF_A_PAYMENT))
            sender.settle(timeout_s=120)
            row = sender.outbox.find("fund")
            return {
                "to": to,
                "wei": str(wei),
                "transaction": "0x" + (row.tx_hash or b"").hex() if row else "",
                "balance_wei": str(chain.balance(to)),
            }

    def status(self) -> dict[str, Any]:
        """Say which chain it is, where it stands, and whether the deployment is on it."""
        with self.chain() as chain:
            head = chain.block("latest")
            deployment = self.places.load(chain.chain_id)
            found: dict[str, Any] = {
                "chain_id": chain.chain_id,
                "block": head.number if head else None,
                "timestamp": head.timestamp if head else None,
                "max_fee_wei": str(chain.fees().max_fee),
                "deployment": None,
            }
            if deployment is not None:
                deployment.check(chain)
                found["deployment"] = {
                    **_plain(deployment),
                    "owner_balance_wei": str(chain.balance(deployment.owner)),
                    "next_round": next_round(chain, deployment),
                }
            return found


def _is_there(deployment: Deployment, chain: Chain) -> bool:
    try:
        deployment.check(chain)
    except NodeError:
        raise
    except ChainError:
        return False
    return True


def _plain(deployment: Deployment) -> dict[str, Any]:
    return {
        "chain_id": deployment.chain_id,
        "owner": deployment.owner,
        "token": deployment.token,
        "ledger": deployment.ledger,
        "rewards": deployment.rewards,
        "registry": deployment.registry,
        "first_block": deployment.first_block,
    }


def _checked(address: str) -> str:
    digits = address.removeprefix("0x")
    if len(digits) == 40 and set(digits.lower()) <= set("0123456789abcdef"):
        right = checksum_address(digits)
        if digits in (digits.lower(), digits.upper(), right[2:]):
            return right
    raise ConfigError(
        "an address needs 0x and 40 hex digits with a right checksum",
        came=ascii(address)[:80],
        action="copy it again",
    )

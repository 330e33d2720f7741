"""Which key a command signs with, and how wallets are made."""

from __future__ import annotations

import json
from pathlib import Path

from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.environment import Environment
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import EMBEDDED
from parity_flwr.chain_bridge.evm import faucet_key
from parity_flwr.chain_bridge.wallet import Wallet, require_fit
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.keyfile import read_key_file
from parity_flwr.errors import ConfigError

DEFAULT_WALLET = "default"


def choose_wallet(
    places: ChainPlaces,
    environment: Environment,
    *,
    where: str,
    chain_id: int,
    name: str | None,
) -> Wallet:
    """Return the key to sign with on a chain.

    The named wallet; else the key in PARITY_CHAIN_KEY; else on the embedded chain the one
    that owns its coins, which everybody has; else the wallet "default".

    Raises
    ------
    ConfigError
        There is none, it does not open, or everybody has it and the chain is not one of
        development on this machine.
    """
    if name is None and environment.chain_key is not None:
        wallet = Wallet.from_hex(environment.chain_key)
    elif name is None and where == EMBEDDED:
        wallet = Wallet(faucet_key())
    else:
        password = environment.wallet_password
        if password is None:
            raise ConfigError(
                "a wallet needs its password in PARITY_WALLET_PASSWORD",
                came="none",
                action="set it, or set PARITY_CHAIN_KEY to a key in hex",
            )
        wallet = Wallet.open(places.wallet(name or DEFAULT_WALLET), password)
    require_fit(wallet, chain_id=chain_id, url=None if where == EMBEDDED else where)
    return wallet


def require_coins(chain: Chain, wallet: Wallet) -> None:
    """Refuse an account that cannot pay for gas, before anything waits for a block.

    Raises
    ------
    ConfigError
        It has no coins.
    """
    if chain.balance(wallet.address) == 0:
        raise ConfigError(
            f"the account {wallet.address} needs coins for gas on the chain {chain.chain_id}",
            came="none",
            action="send it some, as with 'parity chain fund', or choose another --wallet",
        )


def make_wallet(places: ChainPlaces, name: str, password: str) -> tuple[str, Path]:
    """Make a key and write its keystore; return its address and where it lies."""
    path = places.wallet(name)
    if path.exists():
        raise ConfigError(
            f"a new wallet needs a name that is free, below {path.parent}",
            came=name,
            action="choose another name; 'parity wallet show' shows what is there",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    wallet = Wallet.generate()
    wallet.save(path, password)
    return wallet.address, path


def shown_address(places: ChainPlaces, name: str) -> str:
    """Return the address that a keystore says it holds; no password is needed for that.

    Raises
    ------
    ConfigError
        The file cannot be read, others may read it, or it says none.
    """
    try:
        digits = json.loads(read_key_file(places.wallet(name)))["address"].removeprefix("0x")
        if len(bytes.fromhex(digits)) == 20:
            return checksum_address(digits)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ConfigError(
        f"the wallet {name} needs to say its address",
        came="a file without one",
        action="restore it from a backup",
    )

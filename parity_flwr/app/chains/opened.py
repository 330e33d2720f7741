"""A chain, a run's contracts on it, and the key that publishes there."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.keys import choose_wallet
from parity_flwr.app.chains.members_file import read_members
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.app.chains.staking import MemberStakes, staked_members
from parity_flwr.app.chains.terms import read_terms
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    next_round,
)
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.rounds import RoundPremise
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS, Wallet
from parity_flwr.errors import ConfigError

KEYS_FILE = "keys.json"
_EMBEDDED = DeploymentSettings(delay_s=0, unbonding_s=60, appeal_s=60)
_GAS_MONEY = 10**21  # wei on the embedded chain
_DEPLOY_S = 120.0


@dataclass(frozen=True)
class OpenedChain:
    """A chain, the deployment of a run on it, and the key that publishes."""

    chain: Chain
    deployment: Deployment
    wallet: Wallet
    keys: RunKeys | None = None  # of the embedded chain
    stakes: MemberStakes = field(default_factory=MemberStakes)  # that count


def keys_path(run: RunFolder) -> Path:
    """Return the file of the keys that a run on the embedded chain makes."""
    return ChainPlaces(run.path).embedded.parent / KEYS_FILE


def open_node(
    choice: ChainChoice, environment: Environment, *, run: RunFolder | None
) -> OpenedChain:
    """Connect to a node and find the deployment that a run publishes to.

    A ledger holds the rounds of one run. The run's folder remembers its deployment; a new
    run takes the home's, if nothing was recorded there yet.

    Raises
    ------
    ConfigError
        There is no deployment, it belongs to another run or another key, or stakes are to
        count and no member has any.
    ChainError
        The node is of another chain, or does not answer.
    """
    home = ChainPlaces(environment.home)
    chain = connect(choice.where)
    known = ChainPlaces(run.path).load(chain.chain_id) if run is not None else None
    deployment = known or home.load(chain.chain_id)
    if deployment is None:
        raise ConfigError(
            f"publishing needs contracts on the chain {chain.chain_id}",
            came="none that this home knows",
            action=f"run: parity chain deploy --chain {choice.where}",
        )
    deployment.check(chain)
    wallet = choose_wallet(
        home, environment, where=choice.where, chain_id=chain.chain_id, name=choice.wallet
    )
    if wallet.address != deployment.owner:
        raise ConfigError(
            f"publishing needs the key of {deployment.owner}, which deployed",
            came=f"that of {wallet.address}",
            action="choose it with --wallet or PARITY_CHAIN_KEY, or deploy again",
        )
    if known is None and (used := next_round(chain, deployment)) != 1:
        raise ConfigError(
            "a run needs a ledger of its own",
            came=f"one that holds {used - 1} rounds of another run",
            action=f"run: parity chain deploy --force --chain {choice.where}",
        )
    consents = (
        read_members(choice.members, deployment=deployment, chain=chain)
        if choice.members is not None
        else {}
    )
    if not choice.by_stake or (run is not None and read_terms(ChainPlaces(run.path))):
        return OpenedChain(chain, deployment, wallet)
    stakes = staked_members(
        chain, deployment, {name: each.member for name, each in consents.items()}
    )
    return OpenedChain(chain, deployment, wallet, stakes=stakes)


def open_embedded(run: RunFolder, journal: SqlJournal, stack: ExitStack) -> OpenedChain:
    """Open the chain in a run's folder; the first time, deploy the contracts there.

    Raises
    ------
    ChainError
        Another process has it open, or its file was changed.
    """
    places = ChainPlaces(run.path)
    chain = stack.enter_context(EmbeddedChain(places.embedded))
    keys = RunKeys(keys_path(run))
    owner = keys.owner
    if chain.balance(owner.address) == 0:
        chain.fund(owner.address, _GAS_MONEY)
    deployment = places.load(chain.chain_id)
    if deployment is None:
        sender = run_sender(chain, owner, journal, places)
        try:
            deployment = deploy(sender, chain, settings=_EMBEDDED, timeout_s=_DEPLOY_S)
        finally:
            sender.close()
        places.save(deployment)
    return OpenedChain(chain, deployment, owner, keys)


def run_sender(
    chain: Chain,
    wallet: Wallet,
    journal: SqlJournal,
    places: ChainPlaces,
    *,
    ledger: str | None = None,
) -> Sender:
    """Return what sends for a run; with a ledger, its rounds in order."""
    confirmations = 0 if chain.chain_id in DEVELOPMENT_CHAINS else 2
    return Sender(
        chain,
        wallet=wallet,
        outbox=SqlOutbox(journal.database, journal.run_id),
        locks=places.locks,
        chain_id=chain.chain_id,
        settings=SenderSettings(confirmations=confirmations),
        premise=None if ledger is None else RoundPremise(chain, ledger=ledger),
    )

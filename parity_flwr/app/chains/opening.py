"""From a choice and a run's folder to everything that publishing its rounds takes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.feed import RoundFeed
from parity_flwr.app.chains.keys import choose_wallet
from parity_flwr.app.chains.members import (
    FileMembers,
    MadeMembers,
    Members,
    NoMembers,
    SignerOf,
)
from parity_flwr.app.chains.members_file import read_members
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.round_files import ContentFiles
from parity_flwr.app.chains.run_keys import RunKeys
from parity_flwr.app.chains.terms import RunTerms, read_terms, write_terms
from parity_flwr.app.content import content_store
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.deployment import (
    Deployment,
    DeploymentSettings,
    deploy,
    funded,
    funding_intents,
    next_round,
)
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.publisher import RoundPublisher
from parity_flwr.chain_bridge.rounds import RoundPremise
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS, Wallet
from parity_flwr.core.records import RoundRecord, RunHeader
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
        There is no deployment, or it belongs to another run or another key.
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
    if choice.members is not None:
        read_members(choice.members, deployment=deployment)
    if known is None and (used := next_round(chain, deployment)) != 1:
        raise ConfigError(
            "a run needs a ledger of its own",
            came=f"one that holds {used - 1} rounds of another run",
            action=f"run: parity chain deploy --force --chain {choice.where}",
        )
    return OpenedChain(chain, deployment, wallet)


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
        sender = _sender(chain, owner, journal, places)
        try:
            deployment = deploy(sender, chain, settings=_EMBEDDED, timeout_s=_DEPLOY_S)
        finally:
            sender.close()
        places.save(deployment)
    return OpenedChain(chain, deployment, owner, keys)


class ChainSession:
    """A run's rounds on their way to a chain, from opening to :meth:`close`.

    Parameters
    ----------
    opened : OpenedChain
    journal : SqlJournal
        The run has begun.
    choice : ChainChoice, keyword-only
    header : RunHeader, keyword-only
        Says for how many rounds the pool is funded.
    environment : Environment, keyword-only
    signer_of : callable, keyword-only
        See :class:`parity_flwr.app.chains.members.MadeMembers`.
    """

    def __init__(
        self,
        opened: OpenedChain,
        journal: SqlJournal,
        *,
        choice: ChainChoice,
        header: RunHeader,
        environment: Environment,
        signer_of: SignerOf,
    ) -> None:
        self.deployment = opened.deployment
        self.outbox = SqlOutbox(journal.database, journal.run_id)
        self._members = _members(opened, choice, self.outbox, signer_of)
        self._feed = RoundFeed(journal)
        places = self._places = ChainPlaces(journal.folder.path)
        self._terms = read_terms(places) or RunTerms(rewards=choice.rewards)
        places.save(opened.deployment)
        locks = places if opened.keys is not None else ChainPlaces(environment.home)
        self._sender = _sender(
            opened.chain, opened.wallet, journal, locks, ledger=opened.deployment.ledger
        )
        try:
            self._keep_terms()
            self._fund(opened, header.num_rounds * self._terms.rewards.pool)
        except BaseException:
            self._sender.close()
            raise
        store = content_store(journal.folder, environment)
        self.publisher = RoundPublisher(
            self._sender,
            ledger=opened.deployment.ledger,
            rounds=self._rounds,
            files=ContentFiles(journal, store=store, feed=self._feed),
            rewards=self._terms.rewards,
            members=self._members.known,
            poll_s=0.05 if opened.chain.chain_id in DEVELOPMENT_CHAINS else 1.0,
        )

    def _fund(self, opened: OpenedChain, amount: int) -> None:
        """Put into the pool what it lacks for the whole run; a resumed run did that."""
        if self.outbox.find("pool/mint") is not None:
            return
        lacking = amount - funded(opened.chain, opened.deployment)
        if lacking > 0:
            for intent in funding_intents(opened.deployment, amount=lacking, key="pool"):
                self._sender.submit(intent)

    def _rounds(self, number: int) -> list[RoundRecord]:
        found = self._feed.after(number)
        for record in found:
            intents = self._members.admit(record)
            if intents:
                self._keep_terms()
            for intent in intents:
                self._sender.submit(intent)
        return found

    def _keep_terms(self) -> None:
        """Write down what whoever verifies needs to know, before the chain shows it."""
        deadlines = {
            "0x" + member.identity.hex(): self._members.deadline(name)
            for name, member in self._members.known.items()
        }
        self._terms = replace(
            self._terms, deadlines=dict(sorted({**self._terms.deadlines, **deadlines}.items()))
        )
        write_terms(self._places, self._terms)


def open_session(
    run: RunFolder,
    choice: ChainChoice,
    *,
    environment: Environment,
    stack: ExitStack,
    node: OpenedChain | None = None,
    signer_of: SignerOf = lambda name: None,
) -> ChainSession | None:
    """Return a session for a run, None while its journal has not begun.

    ``stack`` closes the chain. ``node`` is what :func:`open_node` returned.
    """
    journal = open_journal(run)
    header = journal.header()
    if header is None:
        return None
    if choice.embedded:
        opened = open_embedded(run, journal, stack)
    else:
        opened = node or open_node(choice, environment, run=run)
    return ChainSession(
        opened,
        journal,
        choice=choice,
        header=header,
        environment=environment,
        signer_of=signer_of,
    )


def _members(
    opened: OpenedChain, choice: ChainChoice, outbox: SqlOutbox, signer_of: SignerOf
) -> Members:
    if opened.keys is not None:
        return MadeMembers(
            opened.keys, deployment=opened.deployment, outbox=outbox, signer_of=signer_of
        )
    if choice.members is None:
        return NoMembers()
    return FileMembers(
        read_members(choice.members, deployment=opened.deployment),
        deployment=opened.deployment,
        outbox=outbox,
        chain=opened.chain,
    )


def _sender(
    chain: Chain,
    wallet: Wallet,
    journal: SqlJournal,
    places: ChainPlaces,
    *,
    ledger: str | None = None,
) -> Sender:
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

"""From a choice and a run's folder to everything that publishing its rounds takes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.feed import RoundFeed
from parity_flwr.app.chains.members import (
    FileMembers,
    MadeMembers,
    Members,
    NoMembers,
    SignerOf,
)
from parity_flwr.app.chains.members_file import read_members
from parity_flwr.app.chains.opened import (
    OpenedChain,
    open_embedded,
    open_node,
    run_sender,
)
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.round_files import ContentFiles
from parity_flwr.app.chains.terms import RunTerms, read_terms, write_terms
from parity_flwr.app.content import content_store
from parity_flwr.app.environment import Environment
from parity_flwr.app.journal.opening import open_journal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.app.journal.sql_journal import SqlJournal
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.chain_bridge.deployment import funded, funding_intents
from parity_flwr.chain_bridge.publisher import RoundPublisher
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS
from parity_flwr.core.records import RoundRecord, RunHeader


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
        self._terms = read_terms(places) or _new_terms(choice, opened)
        places.save(opened.deployment)
        locks = places if opened.keys is not None else ChainPlaces(environment.home)
        self._sender = run_sender(
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
            known = len(self._members.known)
            intents = self._members.admit(record)
            if len(self._members.known) > known:  # also who was registered before the run
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


def _new_terms(choice: ChainChoice, opened: OpenedChain) -> RunTerms:
    stakes = opened.stakes
    return RunTerms(
        rewards=stakes.counted(choice.rewards),
        stakes_block=stakes.block,
        staked=stakes.identities,
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
        read_members(choice.members, deployment=opened.deployment, chain=opened.chain),
        deployment=opened.deployment,
        outbox=outbox,
        chain=opened.chain,
    )

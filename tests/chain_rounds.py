"""A run whose rounds go to the contracts: records by hand, everything else real."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chain_cases import ETHER, NOW, WALLET, begun, sending
from parity_flwr.app.journal import SqlJournal
from parity_flwr.app.journal.outbox import SqlOutbox
from parity_flwr.chain_bridge.calls import decode_event
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.contracts import artifact
from parity_flwr.chain_bridge.deployment import Deployment, deploy, fund_pool
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.publisher import RoundContent, RoundPublisher
from parity_flwr.chain_bridge.rounds import RoundPremise
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.sender_settings import SenderSettings
from parity_flwr.core.abi import checksum_address, keccak256
from parity_flwr.core.anchoring import OutboxState
from parity_flwr.core.canonical import dumps
from parity_flwr.core.content.scores import ScoreList, ScoreRow
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.core.economy.reward_tree import Member, RewardTree
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import (
    Checkpoint,
    ReplyDecision,
    ReplyFacts,
    ReputationState,
    RoundDecision,
    RoundFacts,
    RoundRecord,
    RoundStatus,
    Standing,
    Verdict,
)

POOL = 1_000
MODEL = {"w": np.zeros(3, dtype=np.float32)}


def names(clients: int) -> list[str]:
    """Return the identities of a run."""
    return [f"client {index:04}" for index in range(clients)]


def members(clients: int) -> dict[str, Member]:
    """Return who is registered: everybody."""
    return {
        name: Member(
            identity=keccak256(name.encode()),
            account=checksum_address(keccak256(name.encode())[:20].hex()),
        )
        for name in names(clients)
    }


def record_of(number: int, clients: int) -> RoundRecord:
    """Return a round in which everybody's reply is sound."""
    replies = tuple(
        ReplyFacts(identity=name, verdict=Verdict.ACCEPTED, num_examples=10)
        for name in names(clients)
    )
    decisions = tuple(
        ReplyDecision(identity=name, alpha=0.5, beta=1.0, soundness=1.0, weight=1 / clients)
        for name in names(clients)
    )
    standing = Standing(scores=(600.0, 600.0, 600.0, 600.0), composite=600.0, rounds=number)
    state = ReputationState(standings=dict.fromkeys(names(clients), standing), round=number)
    return RoundRecord(
        round=number,
        base_hash=model_hash(MODEL),
        model_hash=model_hash(MODEL),
        facts=RoundFacts(round=number, replies=replies),
        decision=RoundDecision(status=RoundStatus.ACCEPTED, replies=decisions),
        state=state,
    )


@dataclass
class Files:
    """Score lists and models in a folder, under CIDs of raw blocks."""

    folder: Path
    trees: dict[int, RewardTree] = field(default_factory=dict)

    def put(self, record: RoundRecord, rows: Sequence[ScoreRow]) -> RoundContent:
        """Store both."""
        scores = ScoreList.of(rows, run_id="run", round=record.round)
        self.trees[record.round] = scores.tree
        return RoundContent(
            model_cid=self._store(MODEL["w"].tobytes()),
            scores_cid=self._store(dumps(scores)),
            scores=scores,
        )

    def _store(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        self.folder.mkdir(exist_ok=True)
        (self.folder / digest.hex()).write_bytes(data)
        return bytes.fromhex("01551220") + digest


@dataclass
class Training:
    """A run that commits rounds and publishes them."""

    journal: SqlJournal
    publisher: RoundPublisher
    files: Files
    clients: int
    done: int = 0

    def round(self) -> float:
        """Commit the next round, which publishes it; return how long training waited."""
        self.done += 1
        record = record_of(self.done, self.clients)
        checkpoint = Checkpoint(round=self.done, model=MODEL)
        began = time.perf_counter()
        self.journal.commit(record, checkpoint)
        return time.perf_counter() - began

    @property
    def outbox(self) -> SqlOutbox:
        """The run's outbox."""
        return SqlOutbox(self.journal.database, self.journal.run_id)


def deployed(chain: Chain, folder: Path) -> Deployment:
    """Put the contracts on a chain and fill the pool."""
    with sending(chain, MemoryOutbox(), folder) as sender:
        deployment = deploy(sender, chain)
        fund_pool(sender, deployment, amount=ETHER, key="pool")
    return deployment


@contextmanager
def training(
    chain: Chain,
    deployment: Deployment,
    folder: Path,
    *,
    clients: int = 5,
    settings: SenderSettings = NOW,
    poll_s: float = 0.01,
    longest_s: float = 0.1,
) -> Iterator[Training]:
    """Start, or resume, a run whose rounds go to the chain."""
    journal = begun(folder / "run")
    sender = Sender(
        chain,
        wallet=WALLET,
        outbox=SqlOutbox(journal.database, journal.run_id),
        locks=folder,
        chain_id=deployment.chain_id,
        settings=settings,
        premise=RoundPremise(chain, ledger=deployment.ledger),
    )
    files = Files(folder / "files")
    publisher = RoundPublisher(
        sender,
        ledger=deployment.ledger,
        rounds=journal.rounds,
        files=files,
        rewards=RewardConfig(pool=POOL),
        members=members(clients),
        poll_s=poll_s,
        longest_s=longest_s,
    )
    journal.ledger = publisher
    publisher.start()
    run = Training(journal, publisher, files, clients, journal.status().round)
    try:
        yield run
    finally:
        publisher.finish(timeout_s=0.0)


def settled(run: Training) -> None:
    """Wait until every committed round is in a block that stays."""
    assert run.publisher.wait(timeout_s=60), run.publisher.trouble or run.outbox.counts()
    assert run.outbox.counts() == {OutboxState.FINAL.value: run.done}


def recorded(chain: Chain, deployment: Deployment) -> list[tuple[int, bytes, int]]:
    """Return round, root and total of every event on the ledger, in order."""
    head = chain.block("latest")
    assert head is not None
    logs = chain.logs([deployment.ledger], first=deployment.first_block, last=head.number)
    events = [decode_event(artifact("RoundLedger"), "RoundRecorded", log) for log in logs]
    return [(e["round"], e["rewardRoot"], e["total"]) for e in events if e is not None]


def thousand(folder: Path, *, rounds: int, clients: int) -> tuple[float, float]:
    """Run rounds on the embedded chain; return seconds a round at both ends."""
    times = []
    with EmbeddedChain(folder / "chain") as chain:
        chain.fund(WALLET.address, 1000 * ETHER)
        deployment = deployed(chain, folder)
        with training(chain, deployment, folder, clients=clients, poll_s=0.002) as run:
            for _ in range(rounds):
                began = time.perf_counter()
                run.round()
                assert run.publisher.wait(timeout_s=60), run.publisher.trouble
                times.append(time.perf_counter() - began)
        assert len(recorded(chain, deployment)) == rounds
    end = max(1, rounds // 10)
    return float(np.median(times[:end])), float(np.median(times[-end:]))

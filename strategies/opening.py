"""The second exchange of an encrypted round: clients open the sum, and must agree on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from numpy.typing import NDArray

from parity_flwr.core.config import GateConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.encryption.terms import HE_RECORD
from parity_flwr.core.records import ReputationState
from parity_flwr.strategies.arrays import write_arrays
from parity_flwr.strategies.exchange import Exchange, name_round
from parity_flwr.strategies.gate import Arrays, Gate
from parity_flwr.strategies.identity import Roster


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What more than half of the openers returned; None if no such majority was there."""

    arrays: Arrays | None
    asked: int
    agreeing: int

    @property
    def note(self) -> str:
        """Why nothing came of it, empty if something did."""
        if self.arrays is not None:
            return ""
        return f"the sum was not opened: {self.agreeing} of {self.asked} clients agree"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One sum to open.

    Parameters
    ----------
    arrays : Mapping[str, NDArray]
        The encrypted sum, and the sealed model if the next one is to be sealed too.
    values : mapping
        The round's terms and key.
    expected : Mapping[str, NDArray]
        Names, dtypes and shapes of what must come back.
    addends : int
        How many updates the sum has; openers report it.
    timeout_s : float
        How long to wait.
    """

    arrays: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]
    expected: Arrays
    addends: int
    timeout_s: float


def open_by_majority(
    question: Question,
    exchange: Exchange,
    openers: Sequence[int],
    *,
    config: GateConfig,
    roster: Roster,
    state: ReputationState,
    run_id: str,
) -> Opened:
    """Ask the openers and return what more than half of them agree on, byte for byte.

    Replies pass the gate, signatures included, like any other. Absent openers count
    against a majority.
    """
    second = _ask(question, exchange, openers, run_id)
    replies = exchange.grid.send_and_receive(second.messages, timeout=question.timeout_s)
    gate = Gate(question.expected, config=replace(config, max_examples=question.addends))
    answers = second.collect(replies, gate=gate, roster=roster, state=state, run_id=run_id)
    usable = [
        each for each in answers if each.passed and each.passed.num_examples == question.addends
    ]
    votes = Counter(each.update_hash for each in usable)
    if not votes:
        return Opened(arrays=None, asked=len(openers), agreeing=0)
    winner, agreeing = votes.most_common(1)[0]
    if 2 * agreeing <= len(openers):
        return Opened(arrays=None, asked=len(openers), agreeing=agreeing)
    arrays = next(e.passed.arrays for e in usable if e.passed and e.update_hash == winner)
    return Opened(arrays=arrays, asked=len(openers), agreeing=agreeing)


def _ask(
    question: Question, exchange: Exchange, openers: Sequence[int], run_id: str
) -> Exchange:
    record = write_arrays(question.arrays)
    content = RecordDict(
        {
            "arrays": ArrayRecord(dict(record)),
            "config": name_round(ConfigRecord(), exchange.round, run_id),
            HE_RECORD: ConfigRecord(dict(question.values)),
        }
    )
    messages = [
        Message(content, dst_node_id=each, message_type=MessageType.TRAIN) for each in openers
    ]
    return replace(
        exchange,
        record=record,
        base=question.arrays,
        base_hash=model_hash(question.arrays),
        messages=messages,
    )

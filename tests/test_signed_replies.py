"""What a signature binds, and what becomes of replies without the right one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from parity_flwr.core.config import GateConfig, TrustConfig
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import Verdict
from parity_flwr.core.signatures import Ed25519Signer, update_payload
from parity_flwr.strategies import ReputationFedAvg
from parity_flwr.strategies.arrays import read_arrays
from trust_runs import ListJournal, Spoil, Watched, client_app, facts_of, is_node, record

KEYS = [Ed25519Signer.from_seed(bytes([k]) * 32) for k in range(6)]
Sign = Callable[[Message, int, str], None]


class Signing(Watched):
    """Signs each training reply before ``tamper`` sees it."""

    def __init__(
        self, tamper: Callable[[int, list[Message]], list[Message]], unsigned: Any
    ) -> None:
        super().__init__(client_app(), 5)
        self._tamper = tamper
        self._unsigned = unsigned
        self.round = 0

    def send_and_receive(self, messages: Iterable[Message], **options: Any) -> list[Message]:
        sent = list(messages)
        replies = super().send_and_receive(sent, **options)
        if not sent or sent[0].metadata.message_type != "train":
            return replies
        self.round += 1
        for message, reply in zip(sent, replies, strict=True):
            partition = reply.metadata.src_node_id - 1000
            if (partition, self.round) not in self._unsigned:
                sign(message, reply, KEYS[partition])
        return self._tamper(self.round, replies)


def sign(message: Message, reply: Message, key: Ed25519Signer, **other: Any) -> None:
    """Sign as an honest client does; ``other`` replaces fields of the payload."""
    config = message.content.config_records["config"]
    fields: dict[str, Any] = {
        "run_id": str(config["parity-run"]),
        "round": config["server-round"],
        "base_hash": model_hash(read_arrays(message.content.array_records["arrays"])),
        "update_hash": model_hash(read_arrays(reply.content.array_records["arrays"])),
        "num_examples": reply.content.metric_records["metrics"]["num-examples"],
    }
    payload = update_payload(**{**fields, **other})
    reply.content["parity"] = ConfigRecord(
        {"public-key": key.public_key, "signature": key.sign(payload)}
    )


def signed_run(
    tamper: Callable[[int, list[Message]], list[Message]] = lambda round_, replies: replies,
    *,
    rounds: int = 2,
    unsigned: Iterable[tuple[int, int]] = (),
    config: TrustConfig | None = None,
) -> tuple[ListJournal, ReputationFedAvg]:
    journal = ListJournal()
    strategy = ReputationFedAvg(seed=1, journal=journal, config=config)
    with Signing(tamper, set(unsigned)) as grid:
        strategy.start(grid, record({"w": np.zeros(3)}), num_rounds=rounds)
    return journal, strategy


def only(partition: int, round_: int, spoil: Spoil) -> Any:
    def tamper(current: int, replies: list[Message]) -> list[Message]:
        return [
            out
            for reply in replies
            for out in (
                spoil(reply)
                if current == round_ and is_node(reply, 1000 + partition)
                else [reply]
            )
        ]

    return tamper


def rekeyed(reply: Message) -> list[Message]:
    reply.content["parity"] = ConfigRecord(
        {"public-key": KEYS[5].public_key, "signature": bytes(64)}
    )
    return [reply]


def test_first_signature_binds_the_key() -> None:
    journal, strategy = signed_run()
    for k in range(5):
        assert strategy.state.standings[f"client-{k}"].public_key == KEYS[k].public_key.hex()
        assert facts_of(journal, 2)[f"client-{k}"].verdict is Verdict.ACCEPTED


def test_another_key_afterwards_is_quarantined() -> None:
    journal, strategy = signed_run(only(2, 2, rekeyed))
    assert (
        facts_of(journal, 2)["client-2"].reason
        == "signed with another key than this identity's"
    )
    assert strategy.state.standings["client-2"].public_key == KEYS[2].public_key.hex()


def test_no_signature_afterwards_is_quarantined() -> None:
    journal, _ = signed_run(unsigned=[(2, 2), (4, 1)])
    assert facts_of(journal, 1)["client-4"].verdict is Verdict.ACCEPTED  # not bound yet
    assert facts_of(journal, 2)["client-2"].reason == "not signed"
    assert facts_of(journal, 2)["client-4"].verdict is Verdict.ACCEPTED


def test_key_that_signed_nothing_is_not_bound() -> None:
    def key_only(reply: Message) -> list[Message]:
        reply.content["parity"] = ConfigRecord({"public-key": KEYS[1].public_key})
        return [reply]

    journal, strategy = signed_run(only(2, 1, key_only), rounds=1)
    assert facts_of(journal)["client-2"].public_key == ""
    assert strategy.state.standings["client-2"].public_key == ""


def test_signature_can_be_required_from_the_start() -> None:
    config = TrustConfig(gate=GateConfig(require_signature=True))
    journal, _ = signed_run(rounds=1, unsigned=[(2, 1)], config=config)
    assert facts_of(journal)["client-2"].reason == "not signed"
    assert facts_of(journal)["client-1"].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "other",
    [
        {"round": 7},
        {"run_id": "another"},
        {"base_hash": "00" * 32},
        {"update_hash": "00" * 32},
        {"num_examples": 11},
    ],
    ids=lambda other: str(next(iter(other))),
)
def test_signature_over_anything_else_is_rejected(other: dict[str, Any]) -> None:
    sent: list[Message] = []

    class Wrong(Signing):
        def send_and_receive(self, messages: Iterable[Message], **options: Any) -> Any:
            sent[:] = list(messages)
            replies = super().send_and_receive(sent, **options)
            for message, reply in zip(sent, replies, strict=True):
                if message.metadata.message_type == "train" and is_node(reply, 1002):
                    sign(message, reply, KEYS[2], **other)
            return replies

    journal = ListJournal()
    with Wrong(lambda round_, replies: replies, set()) as grid:
        strategy = ReputationFedAvg(seed=1, journal=journal)
        strategy.start(grid, record({"w": np.zeros(3)}), num_rounds=1)
    assert facts_of(journal)["client-2"].reason == "the signature does not verify"
    assert strategy.state.standings["client-2"].public_key == ""


def test_replayed_reply_of_an_older_round_is_rejected() -> None:
    kept: list[RecordDict] = []

    def replay(reply: Message) -> list[Message]:
        reply.content = kept[0]
        return [reply]

    def tamper(round_: int, replies: list[Message]) -> list[Message]:
        if round_ == 1:
            kept.append(next(r.content for r in replies if is_node(r, 1002)))
            return replies
        return list(only(2, 2, replay)(round_, replies))

    journal, _ = signed_run(tamper)
    assert facts_of(journal, 2)["client-2"].reason == "the signature does not verify"


def test_swapped_signatures_are_rejected() -> None:
    def swap(round_: int, replies: list[Message]) -> list[Message]:
        one, two = replies[1].content, replies[2].content
        one["parity"], two["parity"] = two["parity"], one["parity"]
        return replies

    journal, strategy = signed_run(swap, rounds=1)
    for name in ("client-1", "client-2"):
        assert facts_of(journal)[name].reason == "the signature does not verify"
        assert strategy.state.standings[name].public_key == ""


@pytest.mark.parametrize(
    "claim",
    [
        {"public-key": "text", "signature": b"x"},
        {"public-key": b"", "signature": bytes(64)},
        {"public-key": bytes(10_000), "signature": bytes(10_000)},
        {"public-key": bytes(32), "signature": 7},
        {"signature": [b"a"]},
    ],
)
def test_malformed_signature_is_quarantined(claim: dict[str, Any]) -> None:
    def spoil(reply: Message) -> list[Message]:
        reply.content["parity"] = ConfigRecord(claim)
        return [reply]

    journal, _ = signed_run(only(2, 1, spoil), rounds=1)
    facts = facts_of(journal)["client-2"]
    assert facts.verdict is Verdict.QUARANTINED
    assert facts.reason == "the signature does not verify"
    assert facts.public_key == ""


@pytest.mark.parametrize("stamp", [float("nan"), float("inf"), -float("inf"), -1e18, 1e300])
def test_hostile_time_stamp_does_not_end_the_run(stamp: float) -> None:
    def spoil(reply: Message) -> list[Message]:
        reply.metadata.created_at = stamp
        return [reply]

    journal, _ = signed_run(only(2, 1, spoil), rounds=1)
    assert 0 <= facts_of(journal)["client-2"].time_s <= 1e9

"""Identity answers and signed updates, through the adapter and on function apps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod

from flower_messages import Recorder, decoded, instruction, model, node, train_reply, wire
from parity_flwr.clients import (
    SigningMod,
    derived_signers,
    guard_mod,
    identify,
    identity_mod,
    numpy_client_mod,
    parity_mods,
)
from parity_flwr.clients.signing import SignerSource
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.signatures import Ed25519Signer, update_payload, verify
from parity_flwr.errors import ConfigError

pytestmark = pytest.mark.usefixtures("task_identity")

SIGNER = Ed25519Signer.from_seed(bytes(range(32)))
TRAIN_CONFIG: dict[str, Any] = {"parity-run": "run-1", "server-round": 3}


def numpy_app(signer: SignerSource | None = None) -> ClientApp:
    return ClientApp(lambda _: Recorder([]).to_client(), mods=parity_mods(signer))


def function_app(signer: SignerSource | None = None) -> ClientApp:
    app = ClientApp(mods=parity_mods(signer, numpy_client=False))
    identify(app)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        arrays = {name: array + 1 for name, array in decoded(message).items()}
        return train_reply(message, arrays, examples=7)

    return app


def query() -> Message:
    return Message(RecordDict(), 1000, "query.parity_identity")


def parity_of(reply: Message) -> dict[str, Any]:
    assert not reply.has_error(), reply.error
    return dict(reply.content.config_records["parity"])


def expected_payload(reply: Message, **changes: Any) -> bytes:
    fields = {
        "run_id": "run-1",
        "round": 3,
        "base_hash": model_hash(model()),
        "update_hash": model_hash(decoded(reply)),
        "num_examples": 7,
    }
    return update_payload(**{**fields, **changes})


@pytest.mark.parametrize("make", [numpy_app, function_app])
def test_the_query_names_partition_and_key(make: Any) -> None:
    assert parity_of(make()(query(), node(4))) == {"partition-id": 4}
    assert parity_of(make(SIGNER)(query(), node(4))) == {
        "partition-id": 4,
        "public-key": SIGNER.public_key,
    }


@pytest.mark.parametrize("make", [numpy_app, function_app])
def test_train_replies_name_the_partition(make: Any) -> None:
    reply = make()(instruction(model()), node(4))
    assert parity_of(reply) == {"partition-id": 4}
    assert len(reply.content.array_records) == len(reply.content.metric_records) == 1


def test_without_a_partition_the_claim_is_empty() -> None:
    assert parity_of(numpy_app()(query(), node(None))) == {}
    assert parity_of(numpy_app()(instruction(model()), node(None))) == {}


@pytest.mark.parametrize("value", ["x", "", -1, 1.5, True])
def test_a_partition_that_is_no_index_is_not_claimed(value: Any) -> None:
    assert parity_of(numpy_app()(query(), node(value))) == {}


def test_evaluate_replies_are_left_alone() -> None:
    reply = numpy_app(SIGNER)(instruction(model(), TRAIN_CONFIG, kind="evaluate"), node())
    assert not reply.content.config_records


def test_identify_alone_adds_the_key() -> None:
    app = ClientApp()
    identify(app, signer=SIGNER)
    assert parity_of(app(query(), node(1))) == {
        "partition-id": 1,
        "public-key": SIGNER.public_key,
    }


def test_identify_refuses_a_second_time_and_a_client_fn() -> None:
    app = ClientApp()
    identify(app)
    with pytest.raises(ConfigError, match="identify needs"):
        identify(app)
    with pytest.raises(ConfigError, match="identify needs"):
        identify(ClientApp(lambda _: Recorder([]).to_client()))


@pytest.mark.parametrize("make", [numpy_app, function_app])
def test_a_signature_binds_all_five_fields(make: Any) -> None:
    reply = make(SIGNER)(instruction(model(), TRAIN_CONFIG), node(2))
    parity = parity_of(reply)
    key, signature = parity["public-key"], parity["signature"]
    assert parity["partition-id"] == 2
    assert verify(key, expected_payload(reply), signature)
    for change in (
        {"run_id": "run-2"},
        {"round": 4},
        {"base_hash": "0" * 64},
        {"update_hash": "0" * 64},
        {"num_examples": 8},
    ):
        assert not verify(key, expected_payload(reply, **change), signature)


def test_signing_and_identity_in_either_order() -> None:
    orders: list[list[Mod]] = [
        [SigningMod(SIGNER), identity_mod, numpy_client_mod],
        [identity_mod, SigningMod(SIGNER), numpy_client_mod],
    ]
    replies = [
        ClientApp(lambda _: Recorder([]).to_client(), mods=mods)(
            instruction(model(), TRAIN_CONFIG), node(2)
        )
        for mods in orders
    ]
    assert parity_of(replies[0]) == parity_of(replies[1])


def test_what_an_inner_mod_changes_is_what_is_signed() -> None:
    def zeros(message: Message, context: Context, call_next: Any) -> Message:
        reply = call_next(message, context)
        assert "signature" not in reply.content.config_records.get("parity", {})
        return train_reply(message, {k: 0 * v for k, v in model().items()}, examples=7)

    mods = parity_mods(SIGNER, inner=[zeros])
    reply = ClientApp(lambda _: Recorder([]).to_client(), mods=mods)(
        instruction(model(), TRAIN_CONFIG), node()
    )
    assert not decoded(reply)["weight"].any()
    parity = parity_of(reply)
    assert verify(parity["public-key"], expected_payload(reply), parity["signature"])


def test_no_signature_for_a_strategy_that_checks_none() -> None:
    assert "signature" not in parity_of(numpy_app(SIGNER)(instruction(model()), node()))


def test_a_reply_that_cannot_be_signed_stays_unsigned() -> None:
    def bare(message: Message, context: Context) -> Message:
        return Message(RecordDict({"c": ConfigRecord({})}), reply_to=message)

    reply = SigningMod(SIGNER)(instruction(model(), TRAIN_CONFIG), node(), bare)
    assert list(reply.content) == ["c"]


def test_a_round_that_is_no_integer_is_refused() -> None:
    message = instruction(model(), {"parity-run": "r", "server-round": "three"})
    assert numpy_app(SIGNER)(message, node()).error.reason == "ConfigError"


def test_a_key_file_signs_and_its_absence_shows_no_path(tmp_path: Path) -> None:
    SIGNER.save(tmp_path / "key.pem")
    message = instruction(model(), TRAIN_CONFIG)
    reply = numpy_app(tmp_path / "key.pem")(message, node())
    assert parity_of(reply)["public-key"] == SIGNER.public_key
    missing = numpy_app(tmp_path / "none.pem")(message, node())
    assert str(tmp_path) not in str(missing.error.reason)


def test_derived_keys_differ_by_partition_and_secret() -> None:
    keys = {
        (secret, partition): derived_signers(secret)(node(partition)).public_key
        for secret in (b"a", b"b")
        for partition in (0, 1)
    }
    assert len(set(keys.values())) == 4
    assert keys[b"a", 1] == derived_signers(b"a")(node(1)).public_key
    with pytest.raises(ConfigError, match="partition id"):
        derived_signers(b"a")(node(None))


def test_nothing_that_was_sent_is_changed() -> None:
    message = instruction(model(), TRAIN_CONFIG)
    echoed: list[Message] = []

    def echo(message: Message, context: Context) -> Message:
        echoed.append(Message(message.content, reply_to=message))
        return echoed[0]

    before = wire(message.content)
    mods: list[Mod] = [guard_mod, identity_mod]
    app = ClientApp(mods=mods)
    app.train()(echo)
    reply = app(message, node(1))
    assert parity_of(reply) == {"partition-id": 1}
    assert wire(message.content) == wire(echoed[0].content) == before

"""The attack mod: which partitions attack, what they know, and what they leave alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, UserConfigValue
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod

from flower_messages import decoded, instruction, metrics_of, model, node, train_reply, wire
from parity_flwr.clients import guard_mod
from parity_flwr.clients.attacks import (
    ALIE,
    IPM,
    Attack,
    AttackMod,
    Colluders,
    ConfiguredAttackMod,
    GaussianNoise,
    LabelFlip,
    NaNAttack,
    OnOff,
    Scaling,
    SignFlip,
)
from parity_flwr.errors import ConfigError

NUM_PARTITIONS = 5
uses_messages = pytest.mark.usefixtures("task_identity")

# An honest client of partition p adds p + 1 to every float array, and 1 to integers.


def honest(message: Message, context: Context) -> Message:
    context.state["visits"] = ArrayRecord([np.array(len(context.state))])
    step = float(context.node_config["partition-id"]) + 1
    if "parity-flip-labels" in context.node_config:
        step = -100.0
    arrays = {
        name: np.asarray(array + (step if array.dtype.kind == "f" else 1), dtype=array.dtype)
        for name, array in decoded(message).items()
    }
    reply = train_reply(message, arrays, examples=int(step) if step > 0 else 1)
    message.content["arrays"].clear()  # a client may do as it likes with its own message
    return reply


def federation(
    attackers: dict[int, Attack], *, seed: int = 0, **options: Any
) -> tuple[ClientApp, AttackMod]:
    mod = AttackMod(attackers, seed=seed, num_partitions=NUM_PARTITIONS, **options)
    return app_of(mod), mod


def app_of(mod: Mod) -> ClientApp:
    app = ClientApp(mods=[guard_mod, mod])
    app.train()(honest)
    app.train("slow")(honest)
    app.evaluate()(honest)
    return app


def moved(
    app: ClientApp,
    partition: int,
    config: Mapping[str, UserConfigValue] | None = None,
    *,
    server_round: int = 1,
    kind: str = "train",
) -> float:
    """Return the common change of the weights."""
    message = instruction(model(), {"server-round": server_round}, kind=kind)
    reply = app(message, node(partition, config))
    changes = [array - model()[name] for name, array in decoded(reply).items()]
    values = np.concatenate([np.ravel(change) for change in changes])
    np.testing.assert_allclose(values, values[0], rtol=1e-4, atol=1e-5)
    return float(values[0])


@uses_messages
def test_only_attacking_partitions_attack_and_only_in_training() -> None:
    app, _ = federation({1: SignFlip(), 3: Scaling(factor=2.0)})
    assert [moved(app, p) for p in range(5)] == pytest.approx([1, -2, 3, 8, 5])
    assert moved(app, 1, kind="train.slow") == pytest.approx(-2)
    assert moved(app, 1, kind="evaluate") == pytest.approx(2)


@uses_messages
def test_a_node_without_partition_is_honest() -> None:
    app, _ = federation({1: SignFlip()})
    reply = app(instruction(model()), node(None))
    assert reply.error.reason == "KeyError"  # from the honest client, which needs one


@uses_messages
def test_label_flip_reaches_the_client_by_its_node_config() -> None:
    app, _ = federation({1: LabelFlip(classes=10), 2: IPM(epsilon=1.0)})
    assert moved(app, 1) == pytest.approx(-100)
    assert moved(app, 2) == pytest.approx(-2.5)  # of honest updates 2 and 3, not of -100


@uses_messages
def test_colluders_know_each_other_in_every_process() -> None:
    attackers: dict[int, Attack] = {1: Colluders(), 2: Colluders(), 4: ALIE(z=1.0)}
    app, _ = federation(attackers)
    sent = [moved(app, partition) for partition in (1, 2, 4)]
    mean, deviation = np.mean([2, 3, 5]), np.std([2, 3, 5])
    assert sent == pytest.approx([-mean, -mean, mean - deviation], rel=1e-5)
    alone = [moved(federation(attackers)[0], partition) for partition in (1, 2, 4)]
    assert alone == sent
    assert sent[0] == sent[1]


@uses_messages
def test_all_knowledge_needs_the_in_process_engine() -> None:
    app, _ = federation({1: IPM(epsilon=1.0)}, knowledge="all")
    known = moved(app, 1, {"parity-engine": "inprocess"})
    assert known == pytest.approx(-np.mean([1, 3, 4, 5]))
    engines: list[dict[str, UserConfigValue]] = [{}, {"parity-engine": "simulation"}]
    for config in engines:
        reply = app(instruction(model()), node(1, config))
        assert reply.error.reason == "ConfigError"


@uses_messages
def test_honest_training_runs_once_for_each_colluder_and_model() -> None:
    calls: list[int] = []

    def counted(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        calls.append(int(context.node_config["partition-id"]))
        return call_next(message, context)

    attackers: dict[int, Attack] = {1: ALIE(), 2: IPM(), 4: SignFlip()}
    mod = AttackMod(attackers, seed=0, num_partitions=NUM_PARTITIONS)
    app = ClientApp(mods=[mod, counted])
    app.train()(honest)
    for partition in (1, 2, 4):
        moved(app, partition)
    assert calls == [1, 2, 4, 1, 2, 4]  # three rehearsals, then each its own
    moved(app, 1, server_round=2)
    assert calls[6:] == [1, 2, 4, 1]


@uses_messages
def test_another_model_in_the_same_round_is_rehearsed_anew() -> None:
    app, _ = federation({1: IPM(epsilon=1.0), 2: IPM(epsilon=1.0)})
    moved(app, 1)
    other = {name: 2 * array for name, array in model().items()}
    change = decoded(app(instruction(other), node(2)))["bias"] - other["bias"]
    np.testing.assert_allclose(change, -2.5)


@uses_messages
def test_scratch_runs_leave_state_message_and_config_alone() -> None:
    seen: list[tuple[int, bool]] = []

    def watch(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        seen.append((int(context.node_config["partition-id"]), "visits" in context.state))
        context.run_config["touched"] = True
        return call_next(message, context)

    mod = AttackMod({1: ALIE(), 2: ALIE()}, seed=0, num_partitions=NUM_PARTITIONS)
    app = ClientApp(mods=[mod, watch])
    app.train()(honest)
    context = node(1)
    for _ in range(2):
        app(instruction(model()), context)
    assert list(context.state) == ["visits"]
    assert dict(context.node_config) == {"partition-id": 1}
    assert seen[:3] == [(1, False), (2, False), (1, False)]  # rehearsals, then its own
    assert seen[-1] == (1, True)


@uses_messages
def test_an_echoing_client_s_message_is_not_changed() -> None:
    def echo(message: Message, context: Context) -> Message:
        return Message(message.content, reply_to=message)

    app = ClientApp(mods=[AttackMod({1: NaNAttack()}, seed=0, num_partitions=2)])
    app.train()(echo)
    message = instruction(model())
    before = wire(message.content)
    assert np.isnan(decoded(app(message, node(1)))["bias"]).all()
    assert wire(message.content) == before


@uses_messages
def test_integers_dtypes_names_and_metrics_stay() -> None:
    sent = {**model(), "steps": np.array(3), "half": np.ones(2, dtype=np.float16)}
    app, _ = federation({1: SignFlip()})
    reply = app(instruction(sent), node(1))
    returned = decoded(reply)
    assert list(returned) == list(sent)
    assert [array.dtype for array in returned.values()] == [a.dtype for a in sent.values()]
    assert returned["steps"] == 4
    assert returned["half"].tolist() == [-1.0, -1.0]
    assert metrics_of(reply) == {"num-examples": 2}


@uses_messages
def test_noise_depends_on_seed_round_and_partition_only() -> None:
    def noise(partition: int, *, seed: int = 0, server_round: int = 1) -> bytes:
        app, _ = federation({1: GaussianNoise(), 2: GaussianNoise()}, seed=seed)
        message = instruction(model(), {"server-round": server_round})
        return decoded(app(message, node(partition)))["weight"].tobytes()

    random.seed(1)
    base = noise(1)
    random.seed(2)
    assert noise(1) == base
    assert len({base, noise(2), noise(1, seed=1), noise(1, server_round=2)}) == 4


@uses_messages
def test_on_off_is_honest_until_its_round() -> None:
    app, _ = federation({1: OnOff(inner=SignFlip(), start=3)})
    assert [moved(app, 1, server_round=r) for r in (1, 2, 3, 4)] == pytest.approx(
        [2, 2, -2, -2]
    )


@uses_messages
def test_a_failing_client_stays_an_error() -> None:
    def broken(message: Message, context: Context) -> Message:
        raise OSError("/secret/path")

    mods: list[Mod] = [
        guard_mod,
        AttackMod({1: SignFlip(), 2: ALIE()}, seed=0, num_partitions=3),
        guard_mod,
    ]
    app = ClientApp(mods=mods)
    app.train()(broken)
    reasons = [app(instruction(model()), node(partition)).error.reason for partition in (1, 2)]
    assert reasons == ["OSError", "EngineError"]  # own training fails; so does the rehearsal


@uses_messages
def test_a_failing_friend_ends_the_attack_with_an_error() -> None:
    def fussy(message: Message, context: Context) -> Message:
        if context.node_config["partition-id"] == 2:
            raise OSError("/secret/path")
        return honest(message, context)

    mods: list[Mod] = [
        guard_mod,
        AttackMod({1: ALIE(), 2: ALIE()}, seed=0, num_partitions=3),
        guard_mod,
    ]
    app = ClientApp(mods=mods)
    app.train()(fussy)
    assert app(instruction(model()), node(1)).error.reason == "EngineError"


@pytest.mark.parametrize(
    ("attackers", "options", "message"),
    [
        ({5: SignFlip()}, {}, "partition ids from 0 to 4"),
        ({-1: SignFlip()}, {}, "partition ids from 0 to 4"),
        ({}, {"seed": -1}, "seed needs to be >= 0"),
        ({}, {"knowledge": "everything"}, "knowledge needs"),
    ],
)
def test_a_mod_out_of_range_is_refused(
    attackers: dict[int, Attack], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        federation(attackers, **options)


def configured(app: ClientApp, partition: int, **run_config: UserConfigValue) -> Message:
    context = node(partition, {"num-partitions": NUM_PARTITIONS}, run_config=run_config)
    return app(instruction(model()), context)


@uses_messages
def test_attackers_come_from_the_run_s_configuration() -> None:
    app = app_of(ConfiguredAttackMod())

    def bias(partition: int, **run_config: UserConfigValue) -> float:
        return float(decoded(configured(app, partition, **run_config))["bias"][0]) - 1

    assert bias(1, attackers="1:sign_flip", seed=3) == -2
    assert bias(1, attackers="2:sign_flip", seed=3) == 2
    assert bias(1, attackers="") == bias(1) == 2


@uses_messages
def test_wrong_attackers_in_the_configuration_become_an_error_reply() -> None:
    app = app_of(ConfiguredAttackMod())
    assert configured(app, 1, attackers="7:nan").error.reason == "ConfigError"
    assert configured(app, 1, attackers="nonsense").error.reason == "ConfigError"
    context = node(1, run_config={"attackers": "1:nan"})
    assert app(instruction(model()), context).error.reason == "ConfigError"

"""Small encrypted federations for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from flwr.serverapp.strategy import Result
from numpy.typing import NDArray

from parity_flwr.clients import (
    AgreedSecret,
    EncryptionMod,
    EncryptionPolicy,
    ProvisionedSecret,
    derived_signers,
    identify,
    parity_mods,
)
from parity_flwr.core.config import TrustConfig
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.strategies import EncryptedAggregation, Encryption, Sampling
from trust_runs import MODEL, Arrays, ListJournal, Spoil, Step, Watched, nudge, record

SIGNERS = derived_signers(b"encrypted runs")
GIVEN = ProvisionedSecret(GroupSecret(bytes(range(32))))
QUIET = Sampling(fraction_evaluate=0.0)


def public_keys(clients: int) -> frozenset[bytes]:
    """Return the public keys of the derived signers of that many partitions."""
    label = b"parity-flwr derived signer\x00"
    seeds = (
        hashlib.sha256(label + k.to_bytes(8, "big") + b"encrypted runs").digest()
        for k in range(clients)
    )
    return frozenset(Ed25519Signer.from_seed(seed).public_key for seed in seeds)


def agreed(clients: int = 5) -> AgreedSecret:
    return AgreedSecret(SIGNERS, public_keys(clients))


def encrypted_app(
    keys: Any = GIVEN,
    *,
    step: Step = nudge,
    policy: EncryptionPolicy | None = None,
    examples: Callable[[int], int] = lambda partition: 10,
    outside: Sequence[Mod] = (),
    inside: Sequence[Mod] = (),
    signed: bool = True,
    seen: list[Mapping[str, NDArray[Any]]] | None = None,
) -> ClientApp:
    """Return an app of functions behind our mods; ``seen`` collects the models it gets."""
    mods = parity_mods(
        SIGNERS if signed else None,
        inner=[*outside, EncryptionMod(keys, policy=policy), *inside],
        numpy_client=False,
    )
    app = ClientApp(mods=mods)
    identify(app, signer=SIGNERS if signed else None)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        round_ = int(str(message.content.config_records["config"]["server-round"]))
        sent = message.content.array_records["arrays"]
        model = {name: array.numpy() for name, array in sent.items()}
        if seen is not None and partition == 0:
            seen.append(model)
        arrays = record({name: step(partition, round_, a) for name, a in model.items()})
        told = MetricRecord({"num-examples": examples(partition), "train-loss": 1.0})
        return Message(RecordDict({"arrays": arrays, "metrics": told}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        total = sum(
            float(a.numpy().sum()) for a in message.content.array_records["arrays"].values()
        )
        told = MetricRecord({"num-examples": 5, "total": total})
        return Message(RecordDict({"metrics": told}), reply_to=message)

    return app


def encrypted_run(
    app: ClientApp | None = None,
    *,
    encryption: Encryption | None = None,
    clients: int = 5,
    rounds: int = 2,
    model: Arrays = MODEL,
    spoil: Mapping[int, Spoil] | None = None,
    journal: Any = None,
    config: TrustConfig | None = None,
    sampling: Sampling = QUIET,
    inner: Any = None,
    **options: Any,
) -> tuple[Result, Watched, EncryptedAggregation]:
    """Run the strategy over an app; return what came of it."""
    strategy = EncryptedAggregation(
        inner,
        encryption=encryption or Encryption(clip=1.0),
        config=config,
        seed=3,
        sampling=sampling,
        journal=journal,
    )
    with Watched(app or encrypted_app(), clients, spoil=spoil) as grid:
        result = strategy.start(grid, record(model), num_rounds=rounds, timeout=30, **options)
        return result, grid, strategy


def plain_mean(
    steps: Sequence[int], *, rounds: int = 2, model: Arrays = MODEL, step: Step = nudge,
    weights: Sequence[float] | None = None,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Return the model after as many rounds of averaging in clear, in float64."""
    current = {name: array.astype(np.float64) for name, array in model.items()}
    shares = np.array(weights if weights is not None else [1.0] * len(steps))
    shares = shares / shares.sum()
    for round_ in range(1, rounds + 1):
        for name, array in model.items():
            sent = current[name].astype(array.dtype)
            rows = [step(k, round_, sent).astype(np.float64) - sent for k in steps]
            current[name] = sent + np.tensordot(shares, np.stack(rows), 1)
    return current


def values(result: Result | ArrayRecord) -> dict[str, NDArray[Any]]:
    arrays = result.arrays if isinstance(result, Result) else result
    return {name: array.numpy() for name, array in arrays.items()}


def replaced(name: str, data: bytes) -> Spoil:
    """Return what swaps an array of a reply for other bytes."""

    def spoil(reply: Message) -> Sequence[Message]:
        arrays = reply.content.array_records.get("arrays")
        if arrays is not None and name in arrays:
            arrays[name] = Array(np.frombuffer(data, np.uint8))
        return [reply]

    return spoil


ROUND_ERROR = 2.0 / 2**15 + 1e-6  # of one round's mean: clip 1, weight 1, and float32


ALL = Encryption(clip=1.0)


SECRET = GroupSecret(bytes(range(32)))  # what GIVEN holds


def close(result: Any, expected: Any, rounds: int = 2) -> bool:
    found = values(result)
    assert list(found) == list(expected)
    return all(np.abs(found[k] - expected[k]).max() <= rounds * ROUND_ERROR for k in found)


def reasons(journal: ListJournal, round_: int = 1) -> dict[str, str]:
    facts = journal.rounds[round_ - 1].facts.replies
    return {each.identity: each.reason for each in facts if each.reason}

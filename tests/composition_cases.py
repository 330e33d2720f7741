"""Every strategy around every kind of strategy, and clients that suit each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from flwr.serverapp.strategy import (
    Bulyan,
    DifferentialPrivacyClientSideAdaptiveClipping,
    DifferentialPrivacyClientSideFixedClipping,
    DifferentialPrivacyServerSideAdaptiveClipping,
    DifferentialPrivacyServerSideFixedClipping,
    FedAdam,
    FedAvg,
    FedMedian,
    FedTrimmedAvg,
    Krum,
    MultiKrum,
    QFedAvg,
    Strategy,
)

from dp_federation import promise
from parity_flwr.clients import (
    EncryptionMod,
    LocalDPMod,
    ProvisionedSecret,
    SecAggMod,
    derived_signers,
    identify,
    parity_mods,
)
from parity_flwr.core.encryption.group_secret import GroupSecret
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.core.privacy.local import LocalPrivacy
from parity_flwr.core.rules import GeometricMedian
from parity_flwr.errors import ConfigError
from parity_flwr.strategies import (
    DPFedAvg,
    EncryptedAggregation,
    Encryption,
    Guarded,
    Reputation,
    ReputationConsensus,
    RobustDownweighting,
    RuleStrategy,
    SafeFedAvg,
    Sampling,
    SecureAggregation,
    SecureSetup,
    SubgroupSecureAggregation,
)

Around = Callable[[Strategy], Strategy]
QUIET = Sampling(fraction_evaluate=0.0)
SIGNERS = derived_signers(b"compositions")
HELD = ProvisionedSecret(GroupSecret(bytes(range(32))))

OUTER: dict[str, Around] = {
    "Reputation": lambda inner: Reputation(inner, seed=1, journal=None, sampling=QUIET),
    "ReputationConsensus": lambda inner: ReputationConsensus(
        inner, committee=3, seed=1, journal=None, sampling=QUIET
    ),
    "Guarded": lambda inner: Guarded(inner),
    "RobustDownweighting": lambda inner: RobustDownweighting(inner),
    "DPFedAvg": lambda inner: DPFedAvg(promise(), inner=inner, journal=None),
    "SecureAggregation": lambda inner: SecureAggregation(
        inner, setup=SecureSetup(sampling=QUIET), journal=None
    ),
    "SubgroupSecureAggregation": lambda inner: SubgroupSecureAggregation(
        inner, setup=SecureSetup(sampling=QUIET), seed=1, journal=None
    ),
    "EncryptedAggregation": lambda inner: EncryptedAggregation(
        inner, encryption=Encryption(clip=1.0), journal=None, sampling=QUIET
    ),
}

INNER: dict[str, dict[str, Callable[[], Strategy]]] = {
    "an average or server optimiser": {"FedAvg": FedAvg, "FedAdam": FedAdam},
    "a robust rule": {
        "FedMedian": FedMedian,
        "FedTrimmedAvg": FedTrimmedAvg,
        "Krum": lambda: Krum(num_malicious_nodes=1),
        "MultiKrum": lambda: MultiKrum(num_malicious_nodes=1, num_nodes_to_select=3),
        "Bulyan": lambda: Bulyan(num_malicious_nodes=0),
        "RuleStrategy": lambda: RuleStrategy(GeometricMedian()),
    },
    "QFedAvg": {"QFedAvg": lambda: QFedAvg(0.1)},
    "SafeFedAvg": {"SafeFedAvg": SafeFedAvg},
    "Reputation": {"Reputation": lambda: OUTER["Reputation"](FedAvg())},
    "DPFedAvg": {"DPFedAvg": lambda: OUTER["DPFedAvg"](FedAvg())},
    "SecureAggregation": {"SecureAggregation": lambda: OUTER["SecureAggregation"](FedAvg())},
    "EncryptedAggregation": {
        "EncryptedAggregation": lambda: OUTER["EncryptedAggregation"](FedAvg())
    },
    "Flower's DP wrapper": {
        "ServerSideFixed": lambda: WRAPPERS["ServerSideFixed"](FedAvg()),
        "ClientSideFixed": lambda: WRAPPERS["ClientSideFixed"](FedAvg()),
        "ServerSideAdaptive": lambda: WRAPPERS["ServerSideAdaptive"](FedAvg()),
        "ClientSideAdaptive": lambda: WRAPPERS["ClientSideAdaptive"](FedAvg()),
    },
}

WRAPPERS: dict[str, Around] = {
    "ServerSideFixed": lambda ours: DifferentialPrivacyServerSideFixedClipping(ours, 1, 1, 6),
    "ClientSideFixed": lambda ours: DifferentialPrivacyClientSideFixedClipping(ours, 1, 1, 6),
    "ServerSideAdaptive": lambda ours: DifferentialPrivacyServerSideAdaptiveClipping(
        ours, 0.1, 6
    ),
    "ClientSideAdaptive": lambda ours: DifferentialPrivacyClientSideAdaptiveClipping(
        ours, 0.1, 6
    ),
}


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield every (outer, kind of inner, inner)."""
    for outer in OUTER:
        for kind, members in INNER.items():
            for name in members:
                yield outer, kind, name


def refusal(outer: str, kind: str, name: str) -> ConfigError | None:
    """Return why the two cannot be together, None if they can."""
    inner = INNER[kind][name]()
    try:
        OUTER[outer](inner)
    except ConfigError as error:
        return error
    return None


def composition_table() -> str:
    """Return which strategy can hold which, as a Markdown table."""
    lines = [
        "| around | " + " | ".join(INNER) + " |",
        "|---|" + "---|" * len(INNER),
    ]
    for outer in OUTER:
        cells = []
        for kind, members in INNER.items():
            found = {refusal(outer, kind, name) is None for name in members}
            if len(found) != 1:
                raise AssertionError(f"{outer} holds some of {kind}")
            cells.append("works" if found.pop() else "refused")
        lines.append(f"| `{outer}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def client_app(hiding: Hiding, *, local: bool = False, voting: bool = False) -> ClientApp:
    """Return clients that hide their updates as a strategy needs it, with noise or without.

    Under local DP validators answer only where that is allowed, uncovered (``voting``).
    """
    noise: list[Mod] = []
    if local:
        noise = [
            LocalDPMod(
                LocalPrivacy(epsilon=400.0, delta=1e-5, clip=1.0, rounds=1), evaluation=voting
            )
        ]
    hide: dict[Hiding, list[Mod]] = {
        Hiding.NONE: [],
        Hiding.SECAGG: [SecAggMod(SIGNERS, clip=True)],
        Hiding.HE: [EncryptionMod(HELD)],
    }
    mods = parity_mods(SIGNERS, inner=[*hide[hiding], *noise], numpy_client=False)
    app = ClientApp(mods=mods)
    identify(app, signer=SIGNERS)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        rng = np.random.default_rng(int(context.node_config["partition-id"]))
        sent = message.content.array_records["arrays"]["w"].numpy()
        arrays = ArrayRecord({"w": Array(sent + 0.1 + 0.02 * rng.standard_normal(sent.shape))})
        told = MetricRecord({"num-examples": 20, "train_loss": 0.5})
        return Message(RecordDict({"arrays": arrays, "metrics": told}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        weights = message.content.array_records["arrays"]["w"].numpy()
        loss = float(np.square(weights - 1).mean())
        told = MetricRecord({"num-examples": 5, "loss": loss})
        return Message(RecordDict({"metrics": told}), reply_to=message)

    return app


def model() -> ArrayRecord:
    return ArrayRecord({"w": Array(np.zeros(4))})

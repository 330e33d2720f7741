"""A separate decryptor: clients encrypt for it and can open nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context

from encrypted_runs import (
    GIVEN,
    SIGNERS,
    encrypted_app,
    encrypted_run,
    plain_mean,
    public_keys,
    values,
)
from flower_messages import node
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID
from parity_flwr.clients import DecryptorsKey, EncryptionPolicy, OwnKey
from parity_flwr.core.encryption import BfvCipher, BfvPlan, GroupSecret
from parity_flwr.core.encryption.bfv import BfvPublicCipher, add_all
from parity_flwr.core.encryption.key_wrapping import announce_key, check_announcement
from parity_flwr.core.encryption.terms import (
    CIPHERTEXT,
    HE_RECORD,
    PUBLIC,
    KeyHolding,
    Reveal,
)
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import ConfigError, DataError, RunError
from parity_flwr.strategies import Encryption
from trust_runs import MODEL, ListJournal

PLAN = BfvPlan(addends=8, clip=1.0, public_key=True)
DECRYPTOR = 5  # its partition; 0 to 4 train
IDENTITY = SIGNERS(node(DECRYPTOR)).public_key
SEPARATE = Encryption(clip=1.0, key_holder=KeyHolding.DECRYPTOR, decryptor="client-5")


@dataclasses.dataclass(frozen=True)
class Roles:
    """One app for all: the last partition is the decryptor."""

    trusted: bytes = IDENTITY

    def _of(self, context: Context) -> Any:
        own = context.node_config["partition-id"] == DECRYPTOR
        return OwnKey(SIGNERS) if own else DecryptorsKey(self.trusted)

    def secret(self, context: Context, run_id: str) -> Any:
        return self._of(context).secret(context, run_id)

    def offer(self, context: Context, run_id: str) -> Any:
        return self._of(context).offer(context, run_id)

    def wrap(self, context: Context, run_id: str, offers: Any) -> Any:
        return self._of(context).wrap(context, run_id, offers)

    def unwrap(self, context: Context, run_id: str, box: bytes) -> Any:
        return self._of(context).unwrap(context, run_id, box)

    def encryptor(self, context: Context, run_id: str, plan: BfvPlan) -> Any:
        return self._of(context).encryptor(context, run_id, plan)

    def publish(self, context: Context, run_id: str, plan: BfvPlan) -> Any:
        return self._of(context).publish(context, run_id, plan)

    def adopt(self, context: Context, run_id: str, announcement: bytes) -> Any:
        return self._of(context).adopt(context, run_id, announcement)


def test_public_key_encrypts_for_its_secret_alone() -> None:
    owner = BfvCipher(PLAN, GroupSecret(bytes(32)))
    sender = BfvPublicCipher(PLAN, owner.public_key(), key_id=owner.key_id)
    rows = np.random.default_rng(0).uniform(-1, 1, (8, 9000))
    points = [PLAN.grid.quantise(row) for row in rows]
    vectors = [sender.encrypt(each) for each in points]
    total = add_all(PLAN, vectors, size=9000, key_id=owner.key_id)
    sums, addends = owner.decrypt_sum(total, size=9000)
    assert addends == 8
    assert sums.tolist() == np.sum(points, axis=0).tolist()
    stranger = BfvCipher(PLAN, GroupSecret(bytes([1]) * 32))
    stranger.key_id = owner.key_id
    with pytest.raises(DataError, match="under this key"):
        stranger.decrypt_sum(total, size=9000)


@pytest.mark.parametrize("key", [b"", b"junk", bytes(5000), bytes(1 << 20)])
def test_hostile_public_key_is_refused(key: bytes) -> None:
    with pytest.raises(DataError):
        BfvPublicCipher(PLAN, key, key_id=bytes(16))


def test_announcement_is_believed_of_one_decryptor_for_one_run() -> None:
    signer, eve = (Ed25519Signer.from_seed(bytes([k]) * 32) for k in (1, 2))
    good = announce_key(b"key", bytes(16), signer, run_id="run")
    found = check_announcement(good, decryptor=signer.public_key, run_id="run")
    assert found == (bytes(16), b"key")
    forged = announce_key(b"key", bytes(16), eve, run_id="run")
    changed = good[:-1] + b"!"
    for bytes_, run_id in ((forged, "run"), (good, "other"), (changed, "run"), (b"", "run")):
        with pytest.raises(DataError):
            check_announcement(bytes_, decryptor=signer.public_key, run_id=run_id)
    with pytest.raises(DataError, match="bytes at most"):
        check_announcement(bytes(100_000), decryptor=signer.public_key, run_id="run")


def test_model_is_the_mean_and_only_the_decryptor_opens() -> None:
    result, grid, strategy = encrypted_run(
        encrypted_app(Roles()), encryption=SEPARATE, clients=6
    )
    expected = plain_mean(range(5))
    for name, array in values(result).items():
        assert np.abs(array - expected[name]).max() <= 2 * (2 / 2**15 + 1e-6)
    openings = [m for m in grid.sent if CIPHERTEXT in m.content.array_records.get("arrays", {})]
    assert [m.metadata.dst_node_id for m in openings] == [FIRST_NODE_ID + DECRYPTOR] * 2
    assert set(strategy.state.standings) == {f"client-{k}" for k in range(5)}


def test_client_keeps_no_secret_and_can_open_nothing() -> None:
    context = node(0)
    keys = DecryptorsKey(IDENTITY)
    assert keys.secret(context, "run") is None
    with pytest.raises(DataError, match="decryptor's public key is needed; got none"):
        keys.encryptor(context, "run", PLAN)
    announcement = OwnKey(SIGNERS).publish(node(DECRYPTOR), "run", PLAN)
    keys.adopt(context, "run", announcement)
    assert keys.encryptor(context, "run", PLAN).key_id == announcement[:16]
    assert "secret" not in context.state.config_records[HE_RECORD]


def test_server_that_swaps_the_public_key_gets_no_update() -> None:
    eve = Ed25519Signer.from_seed(bytes(32))
    forged = BfvCipher(BfvPlan(addends=64, clip=1.0, public_key=True), GroupSecret(bytes(32)))

    def swap(reply: Any) -> Any:
        record = reply.content.config_records.get(HE_RECORD)
        if record and PUBLIC in record:
            run_id = "whatever"
            told = announce_key(forged.public_key(), forged.key_id, eve, run_id=run_id)
            reply.content[HE_RECORD] = ConfigRecord({PUBLIC: told})
        return [reply]

    with pytest.raises(RunError, match="needs 3 nodes with the secret; got 0 of 6"):
        encrypted_run(
            encrypted_app(Roles()), encryption=SEPARATE, clients=6, spoil={DECRYPTOR: swap}
        )


def test_decryptor_that_is_away_is_an_error() -> None:
    with pytest.raises(RunError, match="needs the decryptor 'client-5'"):
        encrypted_run(encrypted_app(Roles()), encryption=SEPARATE, clients=5)


def test_decryptor_refuses_small_sums() -> None:
    journal = ListJournal()
    app = encrypted_app(Roles(), policy=EncryptionPolicy(minimum=6))
    result, *_ = encrypted_run(app, encryption=SEPARATE, clients=6, rounds=1, journal=journal)
    assert journal.rounds[0].note == "the sum was not opened: 0 of 1 clients agree"
    assert values(result)["a.bias"].tolist() == MODEL["a.bias"].tolist()


def test_roles_do_not_mix() -> None:
    context = node(0)
    with pytest.raises(ConfigError, match="a decryptor trains nothing"):
        OwnKey(SIGNERS).encryptor(context, "run", PLAN)
    with pytest.raises(ConfigError, match="encrypt with it"):
        GIVEN.encryptor(context, "run", PLAN)
    for keys in (OwnKey(SIGNERS), DecryptorsKey(IDENTITY)):
        with pytest.raises(ConfigError, match="not shared"):
            keys.offer(context, "run")
        with pytest.raises(ConfigError, match="not shared"):
            keys.wrap(context, "run", [])
        with pytest.raises(ConfigError, match="not shared"):
            keys.unwrap(context, "run", b"")
    with pytest.raises(ConfigError, match="32 bytes"):
        DecryptorsKey(b"short")
    assert IDENTITY in public_keys(6)


@pytest.mark.parametrize(
    "options",
    [
        {"decryptor": "client-5"},
        {"key_holder": KeyHolding.DECRYPTOR},
        {"key_holder": KeyHolding.DECRYPTOR, "decryptor": "x", "reveal": Reveal.NOTHING},
        {"key_holder": KeyHolding.DECRYPTOR, "decryptor": "x", "most_addends": 10**6},
    ],
)
def test_setup_that_does_not_fit_is_refused(options: Any) -> None:
    with pytest.raises(ConfigError):
        Encryption(clip=1.0, **options)


def test_more_clients_than_planned_is_refused() -> None:
    few = dataclasses.replace(SEPARATE, most_addends=2)
    with pytest.raises(ConfigError, match="room for 3 clients; got 2"):
        few.terms(addends=3, factor=1.0)

"""The group secret's way between clients: believed peers only, past a server that lies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from encrypted_runs import (
    GIVEN,
    QUIET,
    SIGNERS,
    agreed,
    encrypted_app,
    encrypted_run,
    public_keys,
)
from flower_messages import node
from parity_flwr.app.engines.inprocess import FIRST_NODE_ID
from parity_flwr.clients import AgreedSecret, ProvisionedSecret
from parity_flwr.core.encryption import GroupSecret
from parity_flwr.core.encryption.key_wrapping import (
    BOX_BYTES,
    OFFER_BYTES,
    _offered,
    check_offer,
    check_peers,
    make_offer,
    new_private_key,
    unwrap_secret,
    wrap_secret,
)
from parity_flwr.core.encryption.terms import BOXES, HE_RECORD, OFFERS, PHASE
from parity_flwr.core.signatures import Ed25519Signer
from parity_flwr.errors import ConfigError, DataError, RunError
from parity_flwr.strategies import EncryptedAggregation, Encryption
from trust_runs import MODEL, Watched, record

ALICE, BOB, EVE = (Ed25519Signer.from_seed(bytes([k]) * 32) for k in (1, 2, 3))
PEERS = frozenset({ALICE.public_key, BOB.public_key})
SECRET = GroupSecret(bytes(range(32)))
PRIVATE = bytes(range(1, 33))


def offer(signer: Ed25519Signer = BOB, *, run_id: str = "run") -> bytes:
    return make_offer(PRIVATE, signer, run_id=run_id)


def box(signer: Ed25519Signer = ALICE, *, peers: frozenset[bytes] = PEERS) -> bytes:
    return wrap_secret(SECRET, offer(), signer, peers=peers, run_id="run")


def test_box_opens_for_whom_it_was_made() -> None:
    assert len(offer()) == OFFER_BYTES
    assert len(box()) == BOX_BYTES
    assert SECRET.value not in box()
    assert unwrap_secret(box(), PRIVATE, peers=PEERS, run_id="run") == SECRET
    with pytest.raises(DataError, match="for this client's offer; got one for another"):
        unwrap_secret(box(), new_private_key(), peers=PEERS, run_id="run")


def test_boxes_of_one_secret_differ() -> None:
    assert box() != box()


def test_strangers_offer_gets_no_box() -> None:
    """A server that offers a key of its own is no peer."""
    with pytest.raises(DataError, match="a stranger's"):
        wrap_secret(SECRET, offer(EVE), ALICE, peers=PEERS, run_id="run")


def test_offer_with_anothers_key_inside_gets_no_box() -> None:
    swapped = make_offer(new_private_key(), EVE, run_id="run")[:32] + offer()[32:]
    with pytest.raises(DataError, match="another signature"):
        wrap_secret(SECRET, swapped, ALICE, peers=PEERS, run_id="run")


def test_offer_of_another_run_gets_no_box() -> None:
    with pytest.raises(DataError, match="signed for this run"):
        check_offer(offer(run_id="yesterday"), peers=PEERS, run_id="run")


def test_offer_of_small_order_gets_no_box() -> None:
    key = bytes(32)
    low = key + BOB.public_key + BOB.sign(_offered(key, "run"))
    with pytest.raises(DataError, match="small order"):
        wrap_secret(SECRET, low, ALICE, peers=PEERS, run_id="run")


def test_strangers_box_is_not_believed() -> None:
    """A server that sends a secret of its own could read everything."""
    forged = box(EVE, peers=PEERS | {EVE.public_key})
    with pytest.raises(DataError, match="a stranger's"):
        unwrap_secret(forged, PRIVATE, peers=PEERS, run_id="run")


def test_box_of_another_run_is_not_believed() -> None:
    with pytest.raises(DataError, match="signed for this run"):
        unwrap_secret(box(), PRIVATE, peers=PEERS, run_id="tomorrow")


def test_changed_boxes_are_refused() -> None:
    rng = random.Random(0)
    good = box()
    for _ in range(200):
        changed = bytearray(good)
        changed[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        with pytest.raises(DataError):
            unwrap_secret(bytes(changed), PRIVATE, peers=PEERS, run_id="run")
    for cut in (b"", good[:-1], good + b"x"):
        with pytest.raises(DataError, match="another length"):
            unwrap_secret(cut, PRIVATE, peers=PEERS, run_id="run")


@pytest.mark.parametrize("peers", [[], [b"short"], [1]])
def test_peers_need_to_be_keys(peers: list[object]) -> None:
    with pytest.raises(ConfigError, match="Ed25519 public keys"):
        check_peers(peers)  # type: ignore[arg-type]


def test_provisioned_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "group.secret"
    path.write_text(SECRET.value.hex() + "\n")
    path.chmod(0o600)
    assert ProvisionedSecret(path).secret(node(), "run") == SECRET
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="only its owner can read"):
        ProvisionedSecret(path).secret(node(), "run")
    path.chmod(0o600)
    path.write_text("not hex")
    with pytest.raises(ConfigError, match="64 hex digits"):
        ProvisionedSecret(path).secret(node(), "run")


def test_provisioned_secret_is_not_replaced_from_the_network() -> None:
    for answer in (
        lambda: GIVEN.offer(node(), "run"),
        lambda: GIVEN.wrap(node(), "run", []),
        lambda: GIVEN.unwrap(node(), "run", b""),
    ):
        with pytest.raises(ConfigError, match="all clients to have it"):
            answer()


def test_secret_belongs_to_its_run() -> None:
    keys, context = AgreedSecret(ALICE, PEERS), node()
    assert keys.wrap(context, "run", []) == []
    first = keys.secret(context, "run")
    assert first is not None
    assert keys.secret(context, "another run") is None
    keys.wrap(context, "another run", [])
    assert keys.secret(context, "another run") != first


def test_an_offer_serves_once() -> None:
    """No second box replaces the secret in the middle of a run."""
    context, bob = node(), AgreedSecret(BOB, PEERS)
    offered = bob.offer(context, "run")
    first, second = (
        wrap_secret(GroupSecret(bytes([k]) * 32), offered, ALICE, peers=PEERS, run_id="run")
        for k in (1, 2)
    )
    bob.unwrap(context, "run", first)
    with pytest.raises(ConfigError, match="needs an offer that it answers"):
        bob.unwrap(context, "run", second)
    assert bob.secret(context, "run") == GroupSecret(bytes([1]) * 32)


def test_one_bad_offer_does_not_stop_the_others() -> None:
    boxes = AgreedSecret(ALICE, PEERS).wrap(node(), "run", [b"junk", offer()])
    assert [len(each) for each in boxes] == [0, BOX_BYTES]


def test_client_that_was_given_another_secret_is_left_out() -> None:
    stranger = ProvisionedSecret(GroupSecret(bytes(32)))

    class ByPartition(ProvisionedSecret):
        def secret(self, context: Context, run_id: str) -> GroupSecret | None:
            held = stranger if context.node_config["partition-id"] == 0 else GIVEN
            return held.secret(context, run_id)

    _, grid, strategy = encrypted_run(encrypted_app(ByPartition(GIVEN.source)), rounds=1)
    assert strategy.state.standings.keys() == {f"client-{k}" for k in range(1, 5)}
    updates = [m for m in grid.sent if "arrays" in m.content.array_records]
    assert FIRST_NODE_ID not in {m.metadata.dst_node_id for m in updates}


def test_client_whose_maker_is_no_peer_of_it_gets_no_secret() -> None:
    """Clients 0 to 3 know each other; nobody knows client 4."""
    keys = AgreedSecret(SIGNERS, public_keys(4))
    _, _, strategy = encrypted_run(encrypted_app(keys), rounds=1)
    assert strategy.state.standings.keys() == {f"client-{k}" for k in range(4)}


def test_maker_that_fails_is_passed_over() -> None:
    def failing(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        record = message.content.config_records.get(HE_RECORD)
        if record and record[PHASE] == "wrap" and context.node_config["partition-id"] == 0:
            raise ValueError("no")
        return call_next(message, context)

    _, _, strategy = encrypted_run(encrypted_app(agreed(), outside=[failing]), rounds=1)
    assert len(strategy.state.standings) == 5


def test_server_that_swaps_offers_gets_nothing() -> None:
    """The relay replaces every offer by one of its own: no client gets a secret."""

    def swap(reply: Message) -> Sequence[Message]:
        record = reply.content.config_records.get(HE_RECORD)
        if record and "offer" in record:
            told = ConfigRecord({**record, "offer": offer(EVE)})
            reply.content = RecordDict({**dict(reply.content.items()), HE_RECORD: told})
        return [reply]

    with pytest.raises(RunError, match="nodes with the secret; got 1 of 5"):
        encrypted_run(encrypted_app(agreed()), spoil=dict.fromkeys(range(5), swap))


def test_late_client_gets_the_secret_from_a_holder() -> None:
    hidden = {FIRST_NODE_ID + 4}

    class Late(Watched):
        def get_node_ids(self) -> list[int]:
            rounds = len([m for m in self.sent if "config" in m.content.config_records])
            return [n for n in super().get_node_ids() if rounds >= 1 or n not in hidden]

    strategy = EncryptedAggregation(
        encryption=Encryption(clip=1.0), sampling=QUIET, journal=None
    )
    with Late(encrypted_app(agreed()), 5) as grid:
        strategy.start(grid, record(MODEL), num_rounds=2, timeout=30)
    assert strategy.state.standings["client-4"].rounds == 1
    wraps = [m for m in grid.sent if OFFERS in m.content.config_records.get(HE_RECORD, {})]
    offers = [m.content.config_records[HE_RECORD][OFFERS] for m in wraps]
    assert [len(each) for each in offers if isinstance(each, list)] == [4, 1]
    assert BOXES not in wraps[0].content.config_records[HE_RECORD]

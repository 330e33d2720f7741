"""A lying server gets no single update: each known trick, and who refuses it."""

from __future__ import annotations

import secrets
from dataclasses import replace

import numpy as np
import pytest

from parity_flwr.core.keystream import add_stream
from parity_flwr.core.secagg import client
from parity_flwr.core.secagg.graph import needed_degree, ring_order
from parity_flwr.core.secagg.messages import Advertisement
from parity_flwr.core.secagg.own_secrets import Secrets, self_mask_key
from parity_flwr.core.secagg.policy import SecAggPolicy
from parity_flwr.core.secagg.state import Stage
from parity_flwr.core.secagg.trust import FirstUse, GivenKeys
from parity_flwr.errors import ConfigError
from secagg_sessions import Sum, releases, session, signer, summed, until_masked

VICTIM = 103


def impostor(made: Sum, participant: int, identity: int) -> tuple[Secrets, Advertisement]:
    """Make keys whose secrets the server knows, signed by an identity that it holds."""
    known = Secrets(secrets.token_bytes(32))
    ad = Advertisement(
        participant=participant, mask_key=known.mask_key, wrap_key=known.wrap_key,
        identity=signer(identity).public_key,
    )  # fmt: skip
    return known, replace(ad, signature=signer(identity).sign(ad.payload(made.session.digest)))


def started(clients: int = 10) -> tuple[Sum, list[Advertisement]]:
    made = Sum(session(clients))
    return made, list(made.advertise(range(100, 100 + clients)).advertisements)


def test_present_client_called_dropped_stays_hidden() -> None:
    """Its pairwise masks come off, its own mask does not: no seed share of it is released."""
    made, dealt = until_masked()
    story = tuple(each for each in made.inputs if each != VICTIM)
    for each in story:
        made.confirm(each, story)
    found = {each: client.unmask(made.states[each], made.signed) for each in story}
    assert all(VICTIM in each.keys and VICTIM not in each.seeds for each in found.values())
    exposed, victim = made.inputs[VICTIM].words.copy(), Secrets(made.states[VICTIM].root)
    for peer in story:
        key = victim.pair_key(
            dealt.participants.of(peer).mask_key, dealt.participants.transcript
        )
        add_stream(exposed, key, subtract=peer > VICTIM)
    assert not np.array_equal(exposed, made.words[VICTIM])
    seed_key = self_mask_key(victim.seed, dealt.participants.transcript)
    add_stream(exposed, seed_key, subtract=True)  # with the seed it would have been naked
    assert np.array_equal(exposed, made.words[VICTIM])


def test_nobody_releases_both_secrets_of_one_peer() -> None:
    made, dealt = until_masked(absent={"mask": [100, 105]})
    for each in releases(made, summed(made, dealt)).values():
        assert not set(each.seeds) & set(each.keys)
        assert set(each.pairs) == set(each.keys) == {100, 105}


@pytest.mark.parametrize("split", [3, 5])
def test_two_stories_about_who_survived_reach_no_quorum(split: int) -> None:
    """Some are told that the victim dropped out, the others that it did not."""
    made, _ = until_masked()
    everybody = tuple(sorted(made.inputs))
    story = tuple(each for each in everybody if each != VICTIM)
    told = {each: story if k < split else everybody for k, each in enumerate(story)}
    for each, survivors in told.items():
        made.confirm(each, survivors)
    for each in story:
        if sum(told[other] == told[each] for other in story) < 7:
            with pytest.raises(ConfigError, match="7 confirmations of one list"):
                client.unmask(made.states[each], made.signed)


def test_confirmations_of_the_absent_or_of_another_round_do_not_count() -> None:
    made, dealt = until_masked(absent={"mask": [100, 101, 102]})
    done = summed(made, dealt)
    for each in done.survivors:
        made.confirm(each, done.survivors)
    payload_signers = dict(list(made.signed.items())[:5])
    forged = {100: made.signed[103], 101: made.signed[104], 102: bytes(64)}
    with pytest.raises(ConfigError, match="7 confirmations of one list; got 5"):
        client.unmask(made.states[103], {**payload_signers, **forged})


def test_keys_of_an_earlier_session_are_refused() -> None:
    """Their secrets may be out: shares of them were released when somebody dropped out."""
    made, ads = started()
    _, old = started()
    swapped = [old[k] if each.participant == VICTIM else each for k, each in enumerate(ads)]
    with pytest.raises(ConfigError, match=f"participant {VICTIM} without"):
        made.share(100, swapped)


def test_exchanged_public_key_is_refused() -> None:
    made, ads = started()
    known = Secrets(secrets.token_bytes(32))
    middle = [
        replace(each, mask_key=known.mask_key) if each.participant == VICTIM else each
        for each in ads
    ]
    with pytest.raises(ConfigError, match="keys signed for this session"):
        made.share(100, middle)


def test_invented_participants_are_refused_by_a_given_list() -> None:
    made, ads = started()
    trust = GivenKeys(frozenset(each.identity for each in ads))
    _, invented = impostor(made, VICTIM, identity=9999)
    middle = [invented if each.participant == VICTIM else each for each in ads]
    with pytest.raises(ConfigError, match="a key from this client's list"):
        made.share(100, middle, trust=trust)
    made.share(100, ads, trust=trust)


def test_key_that_changes_after_first_use_is_refused() -> None:
    made, ads = started()
    known = FirstUse().admit(ads)
    _, invented = impostor(made, VICTIM, identity=9999)
    middle = [invented if each.participant == VICTIM else each for each in ads]
    with pytest.raises(ConfigError, match="the key it had in earlier rounds"):
        made.share(100, middle, trust=FirstUse(known))
    with pytest.raises(ConfigError, match="the key it had in earlier rounds"):
        FirstUse(known).admit([replace(ads[0], participant=777)])


def test_list_without_the_own_keys_is_refused() -> None:
    made, ads = started()
    with pytest.raises(ConfigError, match="own keys; got one without them"):
        made.share(100, ads[1:])
    _, twin = impostor(made, 100, identity=100)
    with pytest.raises(ConfigError, match="own keys; got one without them"):
        made.share(100, [twin, *ads[1:]])


def test_crowds_of_two_and_one_key_twice_are_refused() -> None:
    made, ads = started()
    with pytest.raises(ConfigError, match="from 3 to 10 participants; got 2"):
        made.share(100, ads[:2])
    with pytest.raises(ConfigError, match="ascending order"):
        made.share(100, ads[::-1])
    twin = replace(ads[1], mask_key=ads[2].mask_key)
    with pytest.raises(ConfigError, match="one key twice"):
        made.share(100, [ads[0], twin, ads[2]])
    with pytest.raises(ConfigError, match="at least 11 participants; got 10"):
        made.share(100, ads, policy=SecAggPolicy(min_survivors=11))


def test_survivors_below_the_minimum_are_refused() -> None:
    made, _ = until_masked()
    with pytest.raises(ConfigError, match="at least 7 survivors; got 6"):
        made.confirm(100, range(100, 106))
    with pytest.raises(ConfigError, match="at least 9 survivors; got 8"):
        client.confirm(
            made.states[100], range(100, 108), signer=signer(100),
            policy=SecAggPolicy(min_survivors=9),
        )  # fmt: skip
    with pytest.raises(ConfigError, match="with this client in it"):
        made.confirm(100, range(101, 110))
    with pytest.raises(ConfigError, match="among the participants"):
        made.confirm(100, [*range(100, 109), 4000])
    with pytest.raises(ConfigError, match="needs an integer from 3"):
        SecAggPolicy(min_survivors=2)


def test_too_few_neighbours_are_refused() -> None:
    """A server that picks four neighbours for everybody may own three of them."""
    made = Sum(session(60, degree=4))
    ads = made.advertise(range(100, 160)).advertisements
    with pytest.raises(ConfigError, match="neighbours among 60 participants; got 4"):
        made.share(100, ads)


def test_withheld_shares_leave_nobody_to_hide_among() -> None:
    made, dealt = until_masked(absent={"mask": [100]})
    delivery = dealt.delivery(100)
    few = dict(list(delivery.items())[:5])
    with pytest.raises(ConfigError, match="usable shares of 6 peers; got 5"):
        made.mask(100, few)
    spoiled = {each: bytes(len(sealed)) for each, sealed in delivery.items()}
    with pytest.raises(ConfigError, match="usable shares of 6 peers; got 5"):
        made.mask(100, spoiled)  # five it derives itself


def test_masks_that_the_server_withheld_are_missed() -> None:
    """Without them survivors fall into groups that share no mask: sums of few."""
    made, dealt = until_masked(absent={"mask": [100, 101]})
    for own, other in ((100, 101), (101, 100)):
        delivery = {k: s for k, s in dealt.delivery(own).items() if k != other}
        made.mask(own, delivery)
    everybody = tuple(sorted(made.inputs))
    for each in (100, 101):
        with pytest.raises(ConfigError, match="a mask with every surviving neighbour"):
            made.confirm(each, everybody)
    made.confirm(102, everybody)


def test_drop_outs_that_cut_a_sparse_graph_are_refused() -> None:
    """The server calls dropped who stands in two runs of the ring: two parts are left."""
    made = Sum(session(200, degree=needed_degree(200)))
    everybody = made.advertise(range(100, 300))
    order = ring_order(200, everybody.transcript)
    cut = {everybody.ids[rank] for rank in (*order[:33], *order[100:133])}  # 66 of 88
    story = tuple(each for each in everybody.ids if each not in cut)
    assert len(story) == 134 == everybody.quorum
    far = everybody.ids[order[166]]
    made.states[far] = replace(
        made.states[far],
        stage=Stage.MASKED,
        advertisements=everybody.advertisements,
        held=dict.fromkeys(everybody.holders(far), (0, 0)),
    )
    with pytest.raises(ConfigError, match="45 survivors in any cut; got 22"):
        made.confirm(far, story)
    made.confirm(far, everybody.ids)


def test_no_stage_is_answered_twice() -> None:
    made, dealt = until_masked()
    before = dict(made.states)
    everybody = tuple(sorted(made.inputs))
    ads = dealt.participants.advertisements
    for call in (
        lambda: made.share(100, ads),
        lambda: made.mask(100, dealt.delivery(100)),
        lambda: client.unmask(before[100], {}),
    ):
        with pytest.raises(ConfigError, match="needs a client that has"):
            call()
    made.confirm(100, everybody)
    with pytest.raises(ConfigError, match="needs a client that has masked; got one that has"):
        made.confirm(100, everybody[:-1])

"""The client's side: a state machine that trusts the server with nothing but the sum.

::

    advertise -> share_keys -> mask -> confirm -> unmask

Each function takes the state that the one before returned and refuses any other: a stage is
never answered twice, and a new :func:`advertise` begins with fresh keys. Whatever is refused
raises ConfigError: the client leaves the round, which reveals nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.keystream import add_stream
from parity_flwr.core.secagg.messages import (
    Advertisement,
    Deal,
    MaskedInput,
    Release,
    confirmation_payload,
    share_digest,
)
from parity_flwr.core.secagg.own_secrets import Secrets, SharePair, self_mask_key
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.policy import (
    SecAggPolicy,
    refusal,
    require_masks,
    require_participants,
    require_quorum,
    require_size,
)
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.state import ClientState, Stage
from parity_flwr.core.secagg.trust import Trust
from parity_flwr.core.sharing import PRIME_256, Draw, extension_weights
from parity_flwr.core.signatures import Signer


def advertise(
    session: Session, *, participant: int, signer: Signer, draw: Draw, policy: SecAggPolicy
) -> tuple[ClientState, Advertisement]:
    """Begin a session with fresh keys, signed by the client's registered identity."""
    if session.length > policy.max_length:
        raise refusal(f"at most {policy.max_length} words", f"{session.length}")
    root = draw(32)
    secrets = Secrets(root)
    unsigned = Advertisement(
        participant=participant,
        mask_key=secrets.mask_key,
        wrap_key=secrets.wrap_key,
        identity=signer.public_key,
    )
    signed = replace(unsigned, signature=signer.sign(unsigned.payload(session.digest)))
    state = ClientState(
        stage=Stage.ADVERTISED, session=session, participant=participant, root=root
    )
    return state, signed


def share_keys(
    state: ClientState,
    advertisements: Sequence[Advertisement],
    *,
    signer: Signer,
    trust: Trust,
    policy: SecAggPolicy,
) -> tuple[ClientState, Deal, Mapping[int, bytes]]:
    """Check everybody's keys, then deal shares of the own secrets to the neighbours.

    Returns the state, the deal, and the identities that ``trust`` wants remembered.
    """
    state.require(Stage.ADVERTISED)
    everybody = Participants(state.session, tuple(advertisements))
    secrets = Secrets(state.root)
    known = require_participants(everybody, state, secrets, signer=signer, trust=trust)
    require_size(everybody, policy)
    pairs = _deal(state.participant, secrets, everybody)
    deal = Deal(
        sealed=tuple(
            secrets.seal(
                pairs[each],
                dealer=state.participant,
                holder=each,
                theirs=everybody.of(each).wrap_key,
                transcript=everybody.transcript,
            )
            for each in everybody.sealed_to(state.participant)
        ),
        held=tuple(
            (share_digest(pairs[each][0]), share_digest(pairs[each][1]))
            for each in everybody.holders(state.participant)
        ),
        seed_commitment=hashlib.sha256(secrets.seed).digest(),
    )
    after = replace(
        state,
        stage=Stage.SHARED,
        advertisements=everybody.advertisements,
        held={state.participant: pairs[state.participant]},
    )
    return after, deal, known


def mask(
    state: ClientState, words: NDArray[np.uint32], delivery: Mapping[int, bytes]
) -> tuple[ClientState, MaskedInput]:
    """Hide a quantised vector under the own mask and one mask with each neighbour.

    ``delivery`` holds the sealed shares of the neighbours that dealt, empty bytes where this
    client derives its own. Those that cannot be opened are complained of and not masked with;
    enough must remain to hide among, and to hold the own secrets.
    """
    state.require(Stage.SHARED)
    if words.shape != (state.session.length,) or words.dtype != np.uint32:
        raise refusal(f"{state.session.length} words", f"shape {words.shape}")
    everybody, secrets = state.participants, Secrets(state.root)
    opened = _open(state, secrets, everybody, delivery)
    held = {**state.held, **{each: pair for each, pair in opened.items() if pair}}
    needed = everybody.threshold(state.participant)
    if len(held) < needed:
        raise refusal(f"usable shares of {needed - 1} peers", f"{len(held) - 1}")
    masked = words.copy()
    add_stream(masked, self_mask_key(secrets.seed, everybody.transcript))
    for peer in held:
        if peer != state.participant:
            key = secrets.pair_key(everybody.of(peer).mask_key, everybody.transcript)
            add_stream(masked, key, subtract=peer < state.participant)
    complaints = frozenset(each for each, pair in opened.items() if pair is None)
    after = replace(state, stage=Stage.MASKED, held=held)
    return after, MaskedInput(masked, complaints)


def confirm(
    state: ClientState, survivors: Sequence[int], *, signer: Signer, policy: SecAggPolicy
) -> tuple[ClientState, bytes]:
    """Sign the list of those whose vectors are in the sum; only one list, ever."""
    state.require(Stage.MASKED)
    everybody = state.participants
    listed = set(survivors)
    if list(survivors) != sorted(listed) or not listed <= set(everybody.ids):
        raise refusal("survivors among the participants, ascending", "another list")
    if state.participant not in listed:
        raise refusal("a list of survivors with this client in it", "one without")
    least = max(everybody.quorum, policy.min_survivors)
    if len(listed) < least:
        raise refusal(f"at least {least} survivors", f"{len(listed)}")
    require_masks(everybody, state, listed)
    signature = signer.sign(confirmation_payload(everybody.transcript, survivors))
    return replace(state, stage=Stage.CONFIRMED, survivors=tuple(survivors)), signature


def unmask(state: ClientState, confirmations: Mapping[int, bytes]) -> Release:
    """Reveal what opens the sum: of each peer one of its two secrets' shares, never both.

    Shares of the own mask's seed for those who survived, of the mask key (and the pairwise
    key) for those who did not. Only if a quorum confirmed the very list that this client
    signed, so that no two clients are told different stories. The state is spent.
    """
    state.require(Stage.CONFIRMED)
    everybody, survivors = state.participants, set(state.survivors)
    require_quorum(everybody, state.survivors, confirmations)
    secrets = Secrets(state.root)
    gone = {each: pair for each, pair in state.held.items() if each not in survivors}
    return Release(
        seeds={each: pair[0] for each, pair in state.held.items() if each in survivors},
        keys={each: pair[1] for each, pair in gone.items()},
        pairs={
            each: secrets.pair_key(everybody.of(each).mask_key, everybody.transcript)
            for each in gone
        },
    )


def _open(
    state: ClientState,
    secrets: Secrets,
    everybody: Participants,
    delivery: Mapping[int, bytes],
) -> dict[int, SharePair | None]:
    """Return this client's shares of each dealer's secrets, None for unusable ones."""
    own = state.participant
    if not set(delivery) <= set(everybody.neighbours(own)):
        raise refusal("shares of this client's neighbours", "others")
    found: dict[int, SharePair | None] = {}
    for dealer, data in sorted(delivery.items()):
        theirs, transcript = everybody.of(dealer).wrap_key, everybody.transcript
        ends = {"dealer": dealer, "holder": own}
        if everybody.is_fixed(dealer, own):
            found[dealer] = secrets.fixed_pair(**ends, theirs=theirs, transcript=transcript)
        else:
            found[dealer] = secrets.unseal(data, **ends, theirs=theirs, transcript=transcript)
    return found


def _deal(own: int, secrets: Secrets, everybody: Participants) -> dict[int, SharePair]:
    """Return every holder's shares of the own seed and mask key.

    Those that holders derive come first; with the secrets, at point 0, they fix the others.
    """
    pairs = {
        each: secrets.fixed_pair(
            dealer=own,
            holder=each,
            theirs=everybody.of(each).wrap_key,
            transcript=everybody.transcript,
        )
        for each in everybody.fixed_to(own)
    }
    hidden = (secrets.seed, secrets.mask_private)
    known = [(int.from_bytes(hidden[0], "big"), int.from_bytes(hidden[1], "big"))]
    known += pairs.values()
    rest = everybody.sealed_to(own)
    weights = extension_weights(
        [0, *(everybody.ranks[each] + 1 for each in pairs)],
        at=[everybody.ranks[each] + 1 for each in rest],
    )
    for each, row in zip(rest, weights, strict=True):
        first, second = (
            sum(w * pair[kind] for w, pair in zip(row, known, strict=True)) % PRIME_256
            for kind in (0, 1)
        )
        pairs[each] = first, second
    return pairs

"""What a client checks before it goes on, whatever the server asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity_flwr.core.secagg.graph import needed_degree
from parity_flwr.core.secagg.messages import confirmation_payload
from parity_flwr.core.secagg.own_secrets import Secrets
from parity_flwr.core.secagg.participants import Participants
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS
from parity_flwr.core.secagg.state import ClientState
from parity_flwr.core.secagg.trust import Trust
from parity_flwr.core.signatures import Signer, verify
from parity_flwr.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SecAggPolicy:
    """What a client insists on, whatever the server asks.

    Parameters
    ----------
    min_survivors : int
        Least clients in a sum that this one is part of, at least 3.
    max_length : int
        Most words in a vector.
    """

    min_survivors: int = LEAST_PARTICIPANTS
    max_length: int = 1 << 28

    def __post_init__(self) -> None:
        if type(self.min_survivors) is not int or self.min_survivors < LEAST_PARTICIPANTS:
            raise ConfigError(
                f"min_survivors needs an integer from {LEAST_PARTICIPANTS}",
                came=repr(self.min_survivors)[:40],
                action="raise it: a sum of two shows each the other's update",
            )


def require_quorum(
    everybody: Participants, survivors: Sequence[int], confirmations: Mapping[int, bytes]
) -> None:
    """Refuse to go on unless more than two thirds signed this very list."""
    payload = confirmation_payload(everybody.transcript, survivors)
    listed, valid = set(survivors), 0
    for each, signature in confirmations.items():
        if each in listed and verify(everybody.of(each).identity, payload, signature):
            valid += 1
        if valid >= everybody.quorum:
            return
    raise refusal(f"{everybody.quorum} confirmations of one list", f"{valid}")


def require_participants(
    everybody: Participants,
    state: ClientState,
    secrets: Secrets,
    *,
    signer: Signer,
    trust: Trust,
) -> Mapping[int, bytes]:
    """Refuse foreign, unsigned or exchanged keys; return what trust remembers."""
    own = everybody.ranks.get(state.participant)
    mine = None if own is None else everybody.advertisements[own]
    expected = (secrets.mask_key, secrets.wrap_key, signer.public_key)
    if mine is None or (mine.mask_key, mine.wrap_key, mine.identity) != expected:
        raise refusal("a list with this client's own keys", "one without them")
    digest = state.session.digest
    for each in everybody.advertisements:
        if not each.is_signed(digest):
            raise refusal(
                "keys signed for this session", f"participant {each.participant} without"
            )
    return trust.admit(everybody.advertisements)


def require_masks(everybody: Participants, state: ClientState, survivors: set[int]) -> None:
    """Refuse survivors among whom the server could read the sum of a few.

    A mask must join this client to each neighbour that survives (honest servers leave out
    one of two that share none), enough neighbours must, and in a sparse graph no two runs
    may cut it that hold too few to be honest.
    """
    held, neighbours = set(state.held), set(everybody.neighbours(state.participant))
    if not survivors & neighbours <= held:
        raise refusal("a mask with every surviving neighbour", "survivors without")
    hidden, needed = len(survivors & held), everybody.threshold(state.participant)
    if hidden < needed:
        raise refusal(f"{needed - 1} surviving neighbours to hide among", f"{hidden - 1}")
    if not everybody.is_complete:
        between = everybody.weakest_cut(survivors)
        if between < needed:
            raise refusal(f"{needed} survivors in any cut", f"{between}")


def require_size(everybody: Participants, policy: SecAggPolicy) -> None:
    """Refuse a session of too few participants, or with too few neighbours each."""
    count = len(everybody.ids)
    if count < policy.min_survivors:
        raise refusal(f"at least {policy.min_survivors} participants", f"{count}")
    if not everybody.is_complete and everybody.session.degree < needed_degree(count):
        raise refusal(
            f"{needed_degree(count)} neighbours among {count} participants",
            f"{everybody.session.degree}",
        )


def refusal(needed: str, came: str) -> ConfigError:
    """Return the error with which a client leaves a round."""
    return ConfigError(
        f"secure aggregation needs {needed}", came=came, action="leave the round"
    )

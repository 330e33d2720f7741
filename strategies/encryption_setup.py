"""How a strategy encrypts: the range, the weights, what it learns, who must agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flwr.serverapp.strategy import (
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedProx,
    FedYogi,
    Strategy,
)

from parity_flwr.core.config import Formula, TrustConfig
from parity_flwr.core.encryption.plan import BfvPlan
from parity_flwr.core.encryption.terms import KeyHolding, Reveal, Terms
from parity_flwr.core.fixed_point import DEFAULT_LEVELS
from parity_flwr.core.records import ReputationState
from parity_flwr.core.reputation import standing_of
from parity_flwr.core.shares import client_alpha
from parity_flwr.errors import ConfigError

_LINEAR = (FedAvg, FedProx)
_OF_THE_MEAN = (*_LINEAR, FedAdagrad, FedAdam, FedAvgM, FedYogi)
"""What needs the mean update and nothing else; exact types, a subclass may need more."""


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """What an encrypted run fixes beforehand.

    Parameters
    ----------
    clip : float
        Every number of an update lies in [-clip, clip]; an addend is off by
        ``clip / levels`` at most.
    levels : int
        Steps of the fixed-point grid, even.
    examples_cap : int
        An update counts in proportion to ``min(n_k, examples_cap)``; 1 = all alike. Set it
        near the largest n_k: a client far under it loses precision.
    minimum : int
        A sum of fewer updates is not opened: the round leaves the model as it was.
    reveal : Reveal
        Whether the server learns the aggregate or nothing.
    clear : tuple of str
        Patterns of arrays that travel unencrypted (selective encryption).
    key_holder : KeyHolding
        The clients together, or a separate decryptor.
    decryptor : str
        The decryptor's identity in this federation; it is never asked to train.
    most_addends : int
        With a decryptor, the most clients of a round: its public key belongs to one set of
        parameters.
    openers : int or None
        How many clients decrypt the sum; None = all whose update is in it. More than half
        of them must return the same bytes.
    timeout_s : float
        How long to wait for keys and for openers.
    """

    clip: float
    levels: int = DEFAULT_LEVELS
    examples_cap: int = 1
    minimum: int = 3
    reveal: Reveal = Reveal.AGGREGATE
    clear: tuple[str, ...] = ()
    key_holder: KeyHolding = KeyHolding.CLIENTS
    decryptor: str = ""
    most_addends: int = 64
    openers: int | None = None
    timeout_s: float = 600.0

    def __post_init__(self) -> None:
        BfvPlan(addends=1, clip=self.clip, levels=self.levels)
        _require(self.examples_cap >= 1, "examples_cap", "an integer >= 1", self.examples_cap)
        _require(self.minimum >= 2, "minimum", "2 updates at least", self.minimum)
        _require(
            self.openers is None or self.openers >= 1, "openers", "1 or more", self.openers
        )
        _require(self.timeout_s > 0, "timeout_s", "seconds > 0", self.timeout_s)
        if self.clear and self.reveal is Reveal.NOTHING:
            raise ConfigError(
                "a server that learns nothing cannot average arrays that travel in clear",
                came=f"clear={self.clear!r}",
                action="encrypt all arrays, or reveal the aggregate",
            )

        self._check_decryptor()

    def _check_decryptor(self) -> None:
        separate = self.key_holder is KeyHolding.DECRYPTOR
        _require(
            separate == bool(self.decryptor),
            "decryptor",
            "the identity of the decryptor, and none where the clients hold the key",
            self.decryptor,
        )
        if separate and self.reveal is Reveal.NOTHING:
            raise ConfigError(
                "a model sealed under the clients' secret needs clients that share one",
                came=f"key_holder={self.key_holder.value!r}",
                action="reveal the aggregate, or let the clients hold the key",
            )
        if separate:
            _ = self.terms(addends=self.most_addends, factor=1.0).plan

    def terms(self, *, addends: int, factor: float) -> Terms:
        """Return what one client is told."""
        separate = self.key_holder is KeyHolding.DECRYPTOR
        if separate and addends > self.most_addends:
            raise ConfigError(
                f"most_addends needs room for {addends} clients",
                came=str(self.most_addends),
                action="raise it, or ask fewer clients a round",
            )
        return Terms(
            addends=self.most_addends if separate else addends,
            clip=float(self.clip),
            levels=self.levels,
            factor=factor,
            examples_cap=self.examples_cap,
            minimum=self.minimum,
            reveal=self.reveal,
            clear=self.clear,
            public_key=separate,
        )


def _require(holds: bool, name: str, needed: str, came: object) -> None:
    if not holds:
        raise ConfigError(f"{name} needs {needed}", came=repr(came), action=f"change {name}")


def weighted_beforehand(config: TrustConfig) -> TrustConfig:
    """Return the configuration under which P-2's weights are what clients can apply.

    A client weighs its update before anybody has seen the round. So nothing that depends on
    the other replies may enter: no cap by the round's median, no cap on a share of it. The
    weights are alpha_k * history_k * n_k with n_k at most ``examples_cap``, normalised over
    the updates that came. No update can be measured, so the response design, which draws
    measured ones to their centre, gives way to the neighbour design, which then says nothing.

    Raises
    ------
    ConfigError
        If the weights of the configuration do not sum to 1 (the paper's Eq. 2).
    """
    if config.weights.formula is Formula.PAPER:
        raise ConfigError(
            "weights under encryption need to be fixed before the round and to sum to 1",
            came=f"the formula {config.weights.formula.value}",
            action="use Formula.DECIDED",
        )
    return replace(
        config.judging_by_distance(),
        weights=replace(config.weights, examples_factor=1e9, max_share=1.0),
        reputation=replace(config.reputation, probation_share=1.0),
    )


def factors(
    state: ReputationState, identities: Mapping[int, str], config: TrustConfig
) -> dict[int, float]:
    """Return each node's weight by reputation over the largest, in [0, 1]."""
    trust = {}
    for node_id, identity in identities.items():
        standing = standing_of(state, identity, config.reputation)
        trust[node_id] = client_alpha(standing, state, config) * standing.history
    largest = max(trust.values(), default=0.0)
    return {node: each / largest if largest > 0 else 0.0 for node, each in trust.items()}


def check_inner(inner: Strategy, reveal: Reveal) -> None:
    """Refuse an inner strategy that would need to see single updates."""
    allowed = _LINEAR if reveal is Reveal.NOTHING else _OF_THE_MEAN
    if type(inner) in allowed:
        return
    raise ConfigError(
        "a strategy under encryption sees the mean update and nothing else: "
        + ", ".join(each.__name__ for each in allowed),
        came=type(inner).__name__,
        action="use one of these; for medians and distances, secure sums in subgroups",
    )

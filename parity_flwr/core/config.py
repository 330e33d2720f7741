"""Every constant of the protocol, named, with its source and its range.

Where the paper gives a value it is the default; where it gives none the choice is ours and
the field's comment says so (docs/equations.md has the reasons).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from parity_flwr.core.ranges import require, require_range, require_simplex
from parity_flwr.core.response_config import ResponseConfig

Four = tuple[float, float, float, float]


class Formula(StrEnum):
    """Which reading of an equation is in force."""

    DECIDED = "decided"  # the source's gap closed as docs/equations.md says
    PAPER = "paper"  # the equation exactly as printed


class Design(StrEnum):
    """Which figures are measured on updates, and which of them accuse."""

    NEIGHBOUR = "neighbour"  # P-4 to P-6, and memories between rounds
    RESPONSE = "response"  # decided: lies answer the model's steps, and repeat others' noise


@dataclass(frozen=True, kw_only=True)
class ReputationConfig:
    """How reputation evolves (P-7 to P-12)."""

    evolution: Formula = Formula.DECIDED  # P-7
    initial: float = 500.0  # R_0, P section 6.1
    decay_up: float = 0.95  # P-7 decided: g when the event is above the score
    decay_down: float = 0.7  # P-7 decided: g when it is below
    gamma: float = 0.95  # P-7 as printed: temporal decay
    merit: Formula = Formula.DECIDED  # P-8 to P-10 decided: only sound work earns
    performance: Four = (0.25, 0.25, 0.25, 0.25)  # a1..a4 of P-8; the paper gives none
    quality: Four = (0.25, 0.25, 0.25, 0.25)  # b1..b4 of P-9; the paper gives none
    consistency: Four = (0.25, 0.25, 0.25, 0.25)  # g1..g4 of P-10; the paper gives none
    social: Four = (0.25, 0.25, 0.25, 0.25)  # d1..d4 of P-11; the paper gives none
    dimension_weights: Four = (0.25, 0.25, 0.25, 0.25)  # v of P-12 at the start
    adaptation_rate: float = 0.1  # P-12: step of the exponentiated gradient; 0 = fixed
    weight_floor: float = 0.05  # P-12: no dimension's weight falls below this
    history_decay: float = 0.9  # P-4, P-8, P-10: decay of the running means
    exclusion_threshold: float = 200.0  # P-3 decided: below it a client has no weight
    return_rounds: int = 10  # clean rounds that the first fall below it costs; 0 = none
    return_limit: int = 80  # each further fall costs twice as many, up to this
    probation_rounds: int = 5  # P-3 decided: younger identities are on probation
    probation_share: float = 0.2  # P-3 decided: the most that they hold together

    def __post_init__(self) -> None:
        require_range("initial", self.initial, 0, 1000)
        for name in ("decay_up", "decay_down", "gamma", "history_decay"):
            require_range(name, getattr(self, name), 0, 1)
        for name in ("performance", "quality", "consistency", "social", "dimension_weights"):
            require_simplex(name, getattr(self, name))
        require_range("adaptation_rate", self.adaptation_rate, 0, 10)
        require_range("weight_floor", self.weight_floor, 0, 0.25)
        require_range("exclusion_threshold", self.exclusion_threshold, 0, 1000)
        for name in ("return_rounds", "return_limit"):
            require_range(name, getattr(self, name), 0, 1_000_000)
        require_range("probation_rounds", self.probation_rounds, 0, 1_000_000)
        require_range("probation_share", self.probation_share, 0, 1)


@dataclass(frozen=True, kw_only=True)
class WeightConfig:
    """How reputation and quality become weights (P-2 to P-4, n_k)."""

    formula: Formula = Formula.DECIDED  # P-2 and P-3
    slope: float = 8.0  # P-3 decided; the paper's sigmoid has slope 1
    examples_factor: float = 4.0  # n_k above this many medians is capped
    max_share: float = 0.4  # one client's share of a round; at least 1/m of m replies

    def __post_init__(self) -> None:
        require_range("slope", self.slope, 0, 1000)
        require_range("examples_factor", self.examples_factor, 1, 1e9)
        require_range("max_share", self.max_share, 0, 1)


@dataclass(frozen=True, kw_only=True)
class RobustnessConfig:
    """How an outlying update loses weight (P-4 deviation, P-5, P-6) and is remembered."""

    neighbour: int | None = None  # m of P-5; None = floor(n/2); the paper's is 1
    tau: float | None = None  # P-6 absolute threshold; None = median + tau_spreads * MAD
    lambda_: float | None = None  # P-6 absolute rate; None = rate_spreads / MAD
    tau_spreads: float = 2.5
    rate_spreads: float = 1.5
    spread_floor: float = 0.15  # MAD' is at least this share of the median
    deviation_spreads: float = 3.0  # P-4 decided: (dist - median)/(3 MAD')
    deviation_floor: float = 0.3  # the same floor for distances to the centre
    exact_replies: int = 32  # up to so many are compared exactly, more by their sketches
    min_replies: int = 4  # fewer: capped weighted mean, and the journal says so
    sketch_size: int = 2048  # numbers that remember a client's updates; 0 = no memory
    sketch_decay: float = 0.9
    sketch_rounds: int = 3  # the memory counts from this many updates on
    ranked_coordinates: int = 4096  # parameters whose ranks are compared; 0 = none
    idle_share: float = 0.1  # an update shorter than this share of the median is no work
    opposed_at: float = 0.15  # a memory this much against the others' (-cosine) has no weight
    balance: tuple[float, float] = (0.2, 0.4)  # one-sidedness: no doubt below, none left above
    design: Design = Design.RESPONSE  # the response design has constants of its own
    response: ResponseConfig = field(default_factory=ResponseConfig)

    def __post_init__(self) -> None:
        if self.neighbour is not None:
            require_range("neighbour", self.neighbour, 1, 1_000_000)
        for name in ("tau", "lambda_"):
            if getattr(self, name) is not None:
                require_range(name, getattr(self, name), 0, 1e300)
        for name in ("tau_spreads", "rate_spreads", "deviation_spreads"):
            require_range(name, getattr(self, name), 0, 1e6)
        require_range("spread_floor", self.spread_floor, 0, 1)
        require_range("exact_replies", self.exact_replies, 0, 1_000_000)
        require_range("min_replies", self.min_replies, 2, 1_000_000)
        require_range("sketch_size", self.sketch_size, 0, 1 << 20)
        require_range("sketch_decay", self.sketch_decay, 0, 1)
        require_range("sketch_rounds", self.sketch_rounds, 1, 1_000_000)
        require_range("ranked_coordinates", self.ranked_coordinates, 0, 1 << 20)
        for name in ("deviation_floor", "idle_share"):
            require_range(name, getattr(self, name), 0, 1)
        require_range("opposed_at", self.opposed_at, 1e-6, 1)
        low, high = self.balance
        require(0 <= low < high <= 2, "balance", "0 <= low < high <= 2", self.balance)


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """What a reply may look like at most."""

    max_examples: int = 2**31
    max_bytes: int = 2 << 30  # of one reply's arrays
    max_magnitude: float = 1e12  # of one number in an update; float32 products stay finite
    require_signature: bool = False

    def __post_init__(self) -> None:
        require_range("max_examples", self.max_examples, 1, 2**53)
        require_range("max_bytes", self.max_bytes, 1, 2**53)
        require_range("max_magnitude", self.max_magnitude, 0, 1e18)


@dataclass(frozen=True, kw_only=True)
class CommitteeConfig:
    """How validators decide about a candidate model (P-14 to P-16)."""

    formula: Formula = Formula.DECIDED  # > 2/3 of the capped weight; PAPER = theta 0.67
    tolerance: float = 0.0  # a loss that rises by less than this is good enough

    def __post_init__(self) -> None:
        require_range("tolerance", self.tolerance, 0, 1000)


@dataclass(frozen=True, kw_only=True)
class TrustConfig:
    """The whole configuration of a reputation strategy."""

    reputation: ReputationConfig = field(default_factory=ReputationConfig)
    weights: WeightConfig = field(default_factory=WeightConfig)
    robustness: RobustnessConfig = field(default_factory=RobustnessConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    committee: CommitteeConfig = field(default_factory=CommitteeConfig)
    quorum: float = 0.5  # share of the selected clients whose replies a round needs
    selection_floor: float = 0.1  # least chance to be selected, as a share of R_0's
    real_clock: bool = False  # wall-clock facts enter the weights only when this is set

    def __post_init__(self) -> None:
        require_range("quorum", self.quorum, 0, 1)
        require_range("selection_floor", self.selection_floor, 0, 1)

    def judging_by_distance(self) -> TrustConfig:
        """Return this with the neighbour design, for what is not a step of a shared model.

        The response design asks how a client's update answers the model's last step. Where
        there is no such step (trees, sums of statistics, ciphertexts) a strategy gives P-6
        a ``rho`` of its own, or none.
        """
        return replace(self, robustness=replace(self.robustness, design=Design.NEIGHBOUR))

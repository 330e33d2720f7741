"""One round's money as a pure function of its record: rewards, then slashes (P-28 to P-32)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parity_flwr.core.economy import offences, rewards
from parity_flwr.core.economy.claims import RewardConfig, round_claims
from parity_flwr.core.economy.offences import OffenceState, Slash, SlashConfig
from parity_flwr.core.economy.rewards import RewardState, RoundRewards
from parity_flwr.core.records import RoundRecord


@dataclass(frozen=True, kw_only=True)
class EconomyConfig:
    """What rounds pay and what offences cost."""

    rewards: RewardConfig = field(default_factory=RewardConfig)
    slashing: SlashConfig = field(default_factory=SlashConfig)
    initial: float = 500.0  # R_0, as ReputationConfig has it


@dataclass(frozen=True, kw_only=True)
class EconomyState:
    """All that the next round's money depends on, besides the stakes."""

    rewards: RewardState = field(default_factory=RewardState)
    offences: OffenceState = field(default_factory=OffenceState)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What one round moved."""

    round: int
    paid: RoundRewards
    slashes: tuple[Slash, ...]  # at most one an identity, sorted by identity

    @property
    def slashed(self) -> int:
        """All that was slashed in this round, base units."""
        return sum(each.amount for each in self.slashes)


def settle(
    state: EconomyState,
    record: RoundRecord,
    *,
    stakes: Mapping[str, int] | None = None,
    config: EconomyConfig,
    run_id: str = "",
    keys: Mapping[str, str] | None = None,
) -> tuple[EconomyState, Settlement]:
    """Pay and slash for one round, from the journalled record.

    The stakes are those when the round began, for both: a slash of this round does not cut
    this round's reward, but the next one's. Replaying a run's records with the same stakes
    gives the same amounts.

    Parameters
    ----------
    state : EconomyState
        After the rounds before.
    record : RoundRecord
        The round.
    stakes : Mapping[str, int], optional
        Base units by identity; None for a run without stakes, in which nobody is slashed.
    config : EconomyConfig
        Every constant.
    run_id, keys
        As :func:`parity_flwr.core.economy.offences.step` takes them.

    Raises
    ------
    ConfigError
        If the round was settled before.
    """
    inputs = round_claims(record, config.rewards, stakes=stakes)
    paid_state, paid = rewards.step(state.rewards, inputs)
    seen, slashes = offences.step(
        state.offences,
        record,
        stakes=stakes or {},
        config=config.slashing,
        initial=config.initial,
        run_id=run_id,
        keys=keys,
    )
    after = EconomyState(rewards=paid_state, offences=seen)
    return after, Settlement(round=record.round, paid=paid, slashes=slashes)


def stakes_after(stakes: Mapping[str, int], slashes: tuple[Slash, ...]) -> Mapping[str, int]:
    """Return the stakes less what was slashed; no stake falls below 0."""
    left = dict(stakes)
    for each in slashes:
        left[each.offence.identity] -= each.amount
    return left

"""Lost reputation comes back slower than it goes: what the excluded owe before they return.

*Decided*, beyond P-7. Scores alone forgive an attacker who pauses: three clean rounds lift a
client from nothing over the exclusion threshold. So a client that falls below it owes clean
rounds, twice as many after each relapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from parity_flwr.core.config import ReputationConfig
from parity_flwr.core.records import ReputationState, Standing


def term(relapses: int, config: ReputationConfig) -> int:
    """Return how many clean rounds in a row the n-th fall costs.

    Examples
    --------
    >>> [term(n, ReputationConfig()) for n in (1, 2, 3, 4, 5)]
    [10, 20, 40, 80, 80]
    """
    doubled = config.return_rounds << min(max(relapses, 1) - 1, 30)
    return min(doubled, max(config.return_rounds, config.return_limit))


def hold_back(
    before: ReputationState,
    after: ReputationState,
    *,
    clean: Mapping[str, bool],
    config: ReputationConfig,
) -> ReputationState:
    """Return the state after the round with everybody's debt brought up to date.

    Who falls below the threshold has relapsed and owes a whole term; a clean round pays off
    one round of it, and one that is not starts the term anew. Rounds in which a client was
    not selected, abstained or did not answer count neither way.

    Parameters
    ----------
    before, after : ReputationState
        Reputation before the round, and with this round's events in the scores.
    clean : mapping from identity to bool
        Who gave cause to be believed (True) or not (False) in this round; nobody else.
    """
    if config.return_rounds == 0:
        return after
    standings = {
        name: _updated(before.standings.get(name), each, clean.get(name), config)
        for name, each in after.standings.items()
    }
    return replace(after, standings=standings)


def _updated(
    before: Standing | None, after: Standing, clean: bool | None, config: ReputationConfig
) -> Standing:
    was = config.initial if before is None else before.composite
    if after.owed == 0:
        if not was >= config.exclusion_threshold > after.composite:
            return after
        relapses = after.relapses + 1
        return replace(after, relapses=relapses, owed=term(relapses, config))
    if clean is None:
        return after
    return replace(after, owed=after.owed - 1 if clean else term(after.relapses, config))

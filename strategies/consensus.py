"""Reputation with validators that have the last word (P-14 to P-16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Unpack

from flwr.serverapp.strategy import Strategy

from parity_flwr.core.committee import committee_size
from parity_flwr.core.encoding import model_hash
from parity_flwr.core.records import RoundFacts, RoundStatus
from parity_flwr.core.reputation import is_excluded, standing_of
from parity_flwr.core.review import review_quality
from parity_flwr.core.rounds import decide
from parity_flwr.core.selection import select
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.committee import Committee
from parity_flwr.strategies.exchange import Exchange
from parity_flwr.strategies.facts import Qualities
from parity_flwr.strategies.inner_state import Snapshot
from parity_flwr.strategies.intake import Answer
from parity_flwr.strategies.options import Options
from parity_flwr.strategies.reputation import Reputation, Settled
from parity_flwr.strategies.settlement import Outcome

_VALIDATE = 3  # the committee's own random stream
_RISK = Fraction(1, 20)


class ReputationConsensus(Reputation):
    """Let validators drawn from the clients accept or refuse each round's model.

    After the inner strategy has made a candidate of the weighted replies, a committee drawn
    in proportion to reputation evaluates it on its own data and answers with signed votes
    and quantised scores; P-14 to P-16 decide by reputation weight. A refused candidate
    leaves the model, and the inner strategy's optimiser, as they were. Clients need
    :func:`parity_flwr.clients.parity_mods`; one without it counts as absent.

    The guarantee: with liars under a third of the committee's capped weight no wrong
    candidate is accepted and no good one refused. Beyond a third they can block every round;
    beyond two thirds they decide.

    Parameters
    ----------
    inner : Strategy
        Any Message-API strategy.
    committee : int, optional
        Number of validators; by default the smallest that 15 % liars among the connected
        clients block in at most 5 % of the draws, or all of them.
    reviews : bool
        The second form: a committee also scores every single update, which becomes its
        output quality (P-4, P-9). Costs one evaluation per update and validator.
    vote_timeout_s : float
        Seconds to wait for ballots.
    **options : Options
        As in :class:`parity_flwr.strategies.Reputation`.

    Examples
    --------
    >>> from flwr.serverapp.strategy import FedAvg
    >>> ReputationConsensus(FedAvg(), committee=7, journal=None).committee
    7
    """

    def __init__(
        self,
        inner: Strategy,
        *,
        committee: int | None = None,
        reviews: bool = False,
        vote_timeout_s: float = 600.0,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(inner, **options)
        if committee is not None and committee < 1:
            raise ConfigError(
                "committee needs at least 1 validator", came=str(committee), action="raise it"
            )
        self.committee = committee
        self.reviews = reviews
        self.vote_timeout_s = vote_timeout_s

    def _qualities(self, exchange: Exchange, accepted: Sequence[Answer]) -> Qualities:
        """Return the validators' score of each update, in the second form."""
        if not self.reviews or not accepted:
            return super()._qualities(exchange, accepted)
        drawn = self._draw(exchange)
        if not drawn.members:
            return super()._qualities(exchange, accepted)
        names = [answer.asked.identity for answer in accepted]
        candidates = [
            next(iter(answer.message.content.array_records.values()))
            for answer in accepted
            if answer.message
        ]
        rises = drawn.review(exchange.record, candidates)
        weights = {
            name: standing_of(self.state, name, self.config.reputation).composite
            for name in rises
        }
        return review_quality(names, rises, weights)

    def _settle(
        self, exchange: Exchange, answers: Sequence[Answer], facts: RoundFacts
    ) -> Settled:
        """Let the committee have the last word on what the round made."""
        before = Snapshot.of(self._inner)
        settled = super()._settle(exchange, answers, facts)
        drawn = self._draw(exchange)
        if settled.decision.status is RoundStatus.REJECTED or not drawn.members:
            return settled
        candidate = model_hash(settled.outcome.model)
        ballots = drawn.vote(
            exchange.record, settled.outcome.arrays, hash=candidate, state=self.state
        )
        judged = replace(facts, ballots=ballots, candidate_hash=candidate)
        state, decision = decide(self.state, judged, self.config)
        if decision.status is RoundStatus.ACCEPTED:
            return Settled(judged, state, decision, settled.outcome)
        before.restore()
        return Settled(judged, state, decision, Outcome(exchange.base, exchange.record))

    def _draw(self, exchange: Exchange) -> Committee:
        """Draw validators in proportion to reputation from those that have weight."""
        connected = self._roster.connected(sorted(exchange.grid.get_node_ids()))
        rules = self.config.reputation
        standings = {name: standing_of(self.state, name, rules) for name in connected}
        names = [name for name in connected if not is_excluded(standings[name], rules)]
        drawn = select(
            names,
            [standings[name].composite for name in names],
            size=min(self._size(len(names)), len(names)),
            floor=0.0,
            rng=self._rng(exchange.round, _VALIDATE),
        )
        return Committee(
            members={name: connected[name] for name in drawn},
            grid=exchange.grid,
            run_id=self.book.run_id,
            round=exchange.round,
            config=self.config.committee,
            timeout_s=self.vote_timeout_s,
        )

    def _size(self, population: int) -> int:
        if self.committee is not None or population < 4:
            return self.committee or population
        try:
            return committee_size(population, round(0.15 * population), risk=_RISK)
        except ConfigError:  # no committee is that safe: the larger, the safer
            return population

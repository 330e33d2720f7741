"""The privacy budget as data: what was released, what it cost, what still fits.

A charge is written down before its release. Charging is idempotent: one key is one release,
so that a repeated round after a crash neither forgets nor doubles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from parity_flwr.core.privacy.accounting import (
    Accountant,
    Mechanism,
    Release,
    affordable_count,
    spent_epsilon,
    within_budget,
)
from parity_flwr.core.privacy.parameters import checked_delta, checked_epsilon
from parity_flwr.core.privacy.sensitivity import Relation
from parity_flwr.errors import BudgetError, ConfigError, JournalError

EVERYONE = "*"
"""The client of a charge that concerns all: a release of an aggregate."""

Key = tuple[str, int, str, str, int]


class Unit(StrEnum):
    """What a promise protects: the neighbours differ in one of these."""

    CLIENT = "client"  # everything that one client ever sends
    EXAMPLE = "example"  # one example of one client's data


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One release, as it stands in the ledger and in the journal.

    Parameters
    ----------
    run, round, client, mechanism, release
        The key. ``client`` is an identity or :data:`EVERYONE`; ``release`` numbers releases
        of fresh noise under one key otherwise equal.
    noise_multiplier, sampling, count
        As in :class:`~parity_flwr.core.privacy.accounting.Release`.
    unit, relation
        What the sensitivity in ``noise_multiplier`` is of.
    """

    run: str
    round: int
    client: str = EVERYONE
    mechanism: Mechanism = Mechanism.GAUSSIAN
    noise_multiplier: float
    sampling: float = 1.0
    count: int = 1
    unit: Unit = Unit.CLIENT
    relation: Relation = Relation.ADD_OR_REMOVE
    release: int = 0

    def __post_init__(self) -> None:
        self.as_release()
        if self.sampling < 1 and self.relation is Relation.REPLACE_ONE:
            raise ConfigError(
                "amplification by sampling needs the add-or-remove relation",
                came=self.relation.value,
                action="account for it with sampling=1",
            )

    @property
    def key(self) -> Key:
        """What makes two charges one."""
        return (self.run, self.round, self.client, self.mechanism.value, self.release)

    def as_release(self) -> Release:
        """Return what the accountant needs to know."""
        return Release(
            noise_multiplier=self.noise_multiplier,
            mechanism=self.mechanism,
            sampling=self.sampling,
            count=self.count,
        )


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What a run states that it has spent, in its journal, before it ends.

    Parameters
    ----------
    round : int
        The last round that it covers.
    delta : float
        At which the epsilons hold.
    clients : mapping of str to float
        Epsilon by client; by :data:`EVERYONE` alone where all are charged alike.
    """

    round: int
    delta: float
    clients: Mapping[str, float]

    @classmethod
    def of(cls, charges: Iterable[Charge], *, round: int, delta: float) -> Spending:
        """Return what these charges add up to (:func:`spent_by_client`)."""
        return cls(round=round, delta=delta, clients=spent_by_client(charges, delta=delta))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that may ever be spent: (epsilon, delta) for one unit and relation."""

    epsilon: float
    delta: float
    unit: Unit = Unit.CLIENT
    relation: Relation = Relation.ADD_OR_REMOVE

    def __post_init__(self) -> None:
        checked_epsilon(self.epsilon)
        checked_delta(self.delta)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A budget and the charges against it, in order. Immutable.

    Examples
    --------
    >>> ledger = Ledger(budget=Budget(epsilon=4.0, delta=1e-5))
    >>> ledger = ledger.charged(Charge(run="r", round=1, noise_multiplier=2.0))
    >>> round(ledger.spent(), 2), round(ledger.remaining(), 2)
    (1.99, 2.01)
    """

    budget: Budget
    charges: tuple[Charge, ...] = ()

    def charged(self, charge: Charge) -> Ledger:
        """Return the ledger with this charge; itself if the charge is in it already.

        Raises
        ------
        BudgetError
            The charge does not fit: nothing may be released.
        JournalError
            The key is taken by a charge with other numbers.
        ConfigError
            The charge is of another unit or relation than the budget.
        """
        self._check(charge)
        present = self.find(charge.key)
        if present is not None:
            require_same(present, charge)
            return self
        if not all(self._fits(charge, client) for client in self._concerned(charge.client)):
            raise BudgetError(
                f"round {charge.round} needs to stay within epsilon "
                f"{self.budget.epsilon:g} at delta {self.budget.delta:g}",
                came=f"{self.spent(client=charge.client):.4g} spent before its release",
                action="stop here, or plan a larger budget from the start",
            )
        return replace(self, charges=(*self.charges, charge))

    def find(self, key: Key) -> Charge | None:
        """Return the charge with this key."""
        return next((each for each in self.charges if each.key == key), None)

    def of(self, client: str) -> tuple[Charge, ...]:
        """Return the charges that concern a client: its own and those of everyone."""
        return tuple(each for each in self.charges if each.client in (client, EVERYONE))

    def clients(self) -> tuple[str, ...]:
        """Return the identities with charges of their own, sorted."""
        return tuple(sorted({each.client for each in self.charges} - {EVERYONE}))

    def spent(
        self, *, client: str | None = None, accountant: Accountant = Accountant.PLD
    ) -> float:
        """Return the epsilon spent at the budget's delta: a client's, or the run's.

        The run's is the largest of any client: data of different clients are disjoint.
        """
        if client in (None, EVERYONE):
            return max(self._total(each, accountant) for each in (EVERYONE, *self.clients()))
        return self._total(str(client), accountant)

    def remaining(self, *, client: str | None = None) -> float:
        """Return what is left of epsilon."""
        return self.budget.epsilon - self.spent(client=client)

    def affordable(self, charge: Charge, *, most: int) -> int:
        """Return how many rounds of this charge still fit, at most ``most``."""
        self._check(charge)
        return min(
            affordable_count(
                charge.as_release(),
                before=releases_of(self.of(client)),
                epsilon=self.budget.epsilon,
                delta=self.budget.delta,
                most=most,
            )
            for client in self._concerned(charge.client)
        )

    def _fits(self, charge: Charge, client: str) -> bool:
        return within_budget(
            releases_of((*self.of(client), charge)),
            epsilon=self.budget.epsilon,
            delta=self.budget.delta,
        )

    def _concerned(self, client: str) -> Sequence[str]:
        return (EVERYONE, *self.clients()) if client == EVERYONE else (client,)

    def _total(self, client: str, accountant: Accountant) -> float:
        return spent_epsilon(
            releases_of(self.of(client)), delta=self.budget.delta, accountant=accountant
        )

    def _check(self, charge: Charge) -> None:
        ours = (self.budget.unit, self.budget.relation)
        if (charge.unit, charge.relation) != ours:
            raise ConfigError(
                f"this budget is for the unit {ours[0].value} under {ours[1].value}",
                came=f"a charge for {charge.unit.value} under {charge.relation.value}",
                action="keep one ledger for each unit and relation",
            )


def releases_of(charges: Iterable[Charge]) -> list[Release]:
    """Return the charges as the accountant takes them."""
    return [each.as_release() for each in charges]


def require_same(present: Charge, charge: Charge) -> None:
    """Check that a charge made again is the one that was made.

    Raises
    ------
    JournalError
        If its noise, sampling, count, unit or relation differ.
    """
    if present != charge:
        raise JournalError(
            f"the release {charge.key} needs the numbers it was charged with",
            came="other noise, sampling or count",
            action="continue the run with the privacy settings it had",
        )


def spent_by_client(charges: Iterable[Charge], *, delta: float) -> dict[str, float]:
    """Return the epsilon at delta of every client that is charged, by identity.

    :data:`EVERYONE` stands for itself; its charges count for each client too. Clients with
    the same charges are added up once.

    Raises
    ------
    MissingExtraError
        If dp-accounting is needed and not installed.

    Examples
    --------
    >>> charge = Charge(run="r", round=1, noise_multiplier=6.0, count=100)
    >>> spent = spent_by_client([charge], delta=1e-5)
    >>> {name: round(epsilon, 2) for name, epsilon in spent.items()}
    {'*': 8.0}
    """
    named: dict[str, list[Release]] = {}
    for charge in charges:
        named.setdefault(charge.client, []).append(charge.as_release())
    common = named.get(EVERYONE, [])
    added: dict[tuple[Release, ...], float] = {}
    spent = {}
    for name in sorted(named):
        releases = tuple(named[name] if name == EVERYONE else [*common, *named[name]])
        if releases not in added:
            added[releases] = spent_epsilon(releases, delta=delta)
        spent[name] = added[releases]
    return spent

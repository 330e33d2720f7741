"""What `--privacy LEVEL` promises for one table, and how its budget is divided.

A fixed share of the budget pays for the encoding, the rest for the training; both stand in
the ledger of each client and are added up by its accountant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from flwr.app import Context

from parity_flwr.app.tabular.plan import Model, TabularPlan
from parity_flwr.clients.client_ledger import ClientLedger
from parity_flwr.core.privacy.accounting import (
    Mechanism,
    Release,
    calibrated_multiplier,
    spent_epsilon,
)
from parity_flwr.core.privacy.combinations import Combination, Hiding, check_combination
from parity_flwr.core.privacy.ledger import Budget, Charge, Unit
from parity_flwr.core.privacy.presets import MECHANISMS, Level, ModelKind, Preset, preset
from parity_flwr.core.secagg.session import LEAST_PARTICIPANTS
from parity_flwr.errors import ConfigError

ENCODING_SHARE = 0.2
"""Share of the budget for the encoding, in 1/z^2, which adds up over Gaussian releases."""

NAMING_SHARE = 0.1
"""Share of delta for the chance that a level which a single row has is named."""

KINDS = {
    Model.NEURAL_NETWORK: ModelKind.TORCH,
    Model.LOGISTIC: ModelKind.TORCH,
    Model.LINEAR: ModelKind.LINEAR,
    Model.RANDOM_FOREST: ModelKind.FOREST,
}


@dataclass(frozen=True, kw_only=True)
class TablePrivacy:
    """A level for the clients of one table.

    Parameters
    ----------
    preset : Preset
        Numbers and places.
    model : Model
        What is trained.
    most : int
        The most examples of any client; every n_k is public.
    names : bool
        Whether there are texts, whose levels may have to be named.
    """

    preset: Preset
    model: Model
    most: int
    names: bool

    @classmethod
    def of(cls, plan: TabularPlan, *, examples: list[int], names: bool) -> TablePrivacy | None:
        """Return what a plan asks for; None for ``off``.

        Raises
        ------
        ConfigError
            If a number promises nothing for so many examples, or there are too few clients
            for secure sums.
        """
        asked = plan.privacy
        if asked.level is Level.OFF:
            return None
        if asked.clip is not None and KINDS[plan.model] is not ModelKind.TORCH:
            raise ConfigError(
                "clip is the longest gradient of one row",
                came=f"the model {plan.model.value}, which has no gradients here",
                action="leave out --clip",
            )
        chosen = preset(
            asked.level,
            examples=max(examples),
            epsilon=asked.epsilon,
            delta=asked.delta,
            clip=asked.clip,
        )
        if chosen.hiding is Hiding.SECAGG and len(examples) < LEAST_PARTICIPANTS:
            raise ConfigError(
                f"privacy high needs {LEAST_PARTICIPANTS} clients for secure sums",
                came=str(len(examples)),
                action="raise --clients, or use --privacy medium",
            )
        return cls(preset=chosen, model=plan.model, most=max(examples), names=names)

    @property
    def kind(self) -> ModelKind:
        """Which mechanism trains the model."""
        return KINDS[self.model]

    @property
    def naming_delta(self) -> float:
        """The part of delta that names levels; it is no release, and in no ledger."""
        return NAMING_SHARE * self._budget.delta if self.names else 0.0

    @property
    def budget(self) -> Budget:
        """The budget of each client's ledger."""
        return replace(self._budget, delta=self._budget.delta - self.naming_delta)

    @property
    def _budget(self) -> Budget:
        budget = self.preset.budget
        assert budget is not None  # noqa: S101 - never made for off
        return budget

    @cached_property
    def encoding_multiplier(self) -> float:
        """Sigma over the sensitivity of all the encoding's counts together."""
        whole = calibrated_multiplier(self.budget.epsilon, delta=self.budget.delta, count=1)
        return float(whole / ENCODING_SHARE**0.5)

    @property
    def encoding(self) -> Release:
        """The encoding as the accountant sees it."""
        return Release(noise_multiplier=self.encoding_multiplier)

    def training_multiplier(
        self, *, count: int, sampling: float = 1.0, mechanism: Mechanism = Mechanism.GAUSSIAN
    ) -> float:
        """Return the noise with which so many releases cost what the encoding leaves."""
        return _calibrated(self.budget, self.encoding, count, sampling, mechanism)

    def open_ledger(self, context: Context, *, run: str) -> ClientLedger:
        """Return a client's ledger, in which the encoding is charged (once)."""
        ledger = ClientLedger(self.budget, context)
        ledger.charge(
            Charge(
                run=run,
                round=0,
                client=f"client-{context.node_config['partition-id']}",
                noise_multiplier=self.encoding_multiplier,
                unit=Unit.EXAMPLE,
            )
        )
        return ledger

    @property
    def guarantee(self) -> str:
        """What noise and hiding give together."""
        chosen = Combination(
            dp=self.preset.dp, hiding=self.preset.hiding, reputation=self.reputation
        )
        return check_combination(chosen)

    @property
    def reputation(self) -> bool:
        """Whether scores of noisy updates weigh clients: not where sums are all there is."""
        return not self._refused_reputation

    @property
    def _refused_reputation(self) -> str:
        wanted = Combination(dp=self.preset.dp, hiding=self.preset.hiding, reputation=True)
        try:
            check_combination(wanted)
        except ConfigError as error:
            return str(error.needed)
        return ""

    @property
    def meaning(self) -> tuple[str, ...]:
        """Return what is promised, in lines to print before the run."""
        refused = self._refused_reputation
        alone = spent_epsilon([self.encoding], delta=self.budget.delta)
        encoding = (
            f"encoding: noisy counts of each client, epsilon {alone:.3g} of it if it stood "
            "alone; names and kinds of columns, classes, and rows per client are public"
        )
        averaging = f"plain; {refused}" if refused else "by reputation, from noisy updates"
        return self.preset.meaning(self.kind), encoding, f"averaging: {averaging}"

    def settings(self) -> dict[str, Any]:
        """Return what must stay the same for a run to be continued."""
        return {
            "level": self.preset.level.value,
            "epsilon": self._budget.epsilon,
            "delta": self._budget.delta,
            "clip": self.preset.clip if self.kind is ModelKind.TORCH else None,
            "mechanism": MECHANISMS[self.kind],
            "encoding_noise_multiplier": self.encoding_multiplier,
            "naming_delta": self.naming_delta,
        }


@lru_cache(maxsize=256)
def _calibrated(
    budget: Budget, encoding: Release, count: int, sampling: float, mechanism: Mechanism
) -> float:
    return calibrated_multiplier(
        budget.epsilon,
        delta=budget.delta,
        count=count,
        sampling=sampling,
        mechanism=mechanism,
        before=[encoding],
    )

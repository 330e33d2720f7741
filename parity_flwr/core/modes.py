"""Named configurations: the paper's words, the default, and the one for minorities."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from parity_flwr.core.config import (
    CommitteeConfig,
    Design,
    Formula,
    ReputationConfig,
    RobustnessConfig,
    TrustConfig,
    WeightConfig,
)
from parity_flwr.core.response_config import ResponseConfig
from parity_flwr.errors import ConfigError

PAPER_TAU = 0.65
"""tau of P-6 in paper mode: the paper gives none. It is 1.5 times the median rho of honest
clients in the comparison's setting (an MLP 784-32-10), and means nothing for other models."""

PAPER_LAMBDA = 1.0
"""lambda of P-6 in paper mode; the paper gives none."""

_NO_BOUND = 1e9


class Mode(StrEnum):
    """How to trust, by name."""

    PAPER = "paper"  # the equations as printed, with their faults
    ROBUST = "robust"  # the default
    INCLUSIVE = "inclusive"  # for federations whose clients are of very different kinds


def trust_config(mode: Mode | str) -> TrustConfig:
    """Return the whole configuration of a mode.

    ``paper`` computes P-2 to P-7 and P-14 to P-16 as the paper prints them, without any bound
    or repair of ours; what the paper names and does not define (the deviation of P-4, the
    facts of P-8 to P-11) is as in every mode. ``robust`` is ``TrustConfig()``. ``inclusive``
    accuses a client that opposes the others' direction only while few do: see
    docs/response-rule.md.

    Raises
    ------
    ConfigError
        If there is no such mode.

    Examples
    --------
    >>> trust_config("robust") == TrustConfig()
    True
    >>> trust_config(Mode.PAPER).robustness.neighbour
    1
    """
    return {
        Mode.PAPER: _paper,
        Mode.ROBUST: TrustConfig,
        Mode.INCLUSIVE: _inclusive,
    }[_parsed(mode)]()


def mode_of(config: TrustConfig) -> Mode | None:
    """Return the mode whose configuration this is, None for one of somebody's own.

    What the gate lets through is not part of a mode.

    Examples
    --------
    >>> mode_of(TrustConfig()), mode_of(TrustConfig(quorum=0.9))
    (<Mode.ROBUST: 'robust'>, None)
    """
    for mode in Mode:
        if replace(trust_config(mode), gate=config.gate) == config:
            return mode
    return None


def mode_name(config: TrustConfig) -> str:
    """Return the mode's name, "custom" for a configuration of somebody's own.

    Examples
    --------
    >>> mode_name(trust_config(Mode.PAPER)), mode_name(TrustConfig(quorum=0.9))
    ('paper', 'custom')
    """
    mode = mode_of(config)
    return mode.value if mode else "custom"


def _parsed(mode: Mode | str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        raise ConfigError(
            f"mode needs one of the names {', '.join(Mode)}",
            came=ascii(mode)[:80],
            action="choose among them",
        ) from None


def _paper() -> TrustConfig:
    return TrustConfig(
        reputation=ReputationConfig(
            evolution=Formula.PAPER,
            merit=Formula.PAPER,
            adaptation_rate=0.0,
            exclusion_threshold=0.0,
            return_rounds=0,
            probation_rounds=0,
            probation_share=1.0,
        ),
        weights=WeightConfig(
            formula=Formula.PAPER, slope=1.0, examples_factor=_NO_BOUND, max_share=1.0
        ),
        robustness=RobustnessConfig(
            design=Design.NEIGHBOUR,
            neighbour=1,
            tau=PAPER_TAU,
            lambda_=PAPER_LAMBDA,
            min_replies=2,
            sketch_size=0,
            ranked_coordinates=0,
            idle_share=0.0,
        ),
        committee=CommitteeConfig(formula=Formula.PAPER),
        selection_floor=0.0,
    )


def _inclusive() -> TrustConfig:
    return TrustConfig(
        robustness=RobustnessConfig(
            design=Design.RESPONSE,
            response=ResponseConfig(
                opponents=(0.1, 0.15), spared_soundness=0.95, spared_penalty=0.8
            ),
        )
    )

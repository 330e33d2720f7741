"""What every reputation strategy takes besides its own arguments, in one place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypedDict

from parity_flwr.core.config import Design, TrustConfig
from parity_flwr.core.measure import Rule
from parity_flwr.core.modes import Mode, trust_config
from parity_flwr.core.privacy.ledger import Budget
from parity_flwr.core.protocols import Journal, Ledger
from parity_flwr.core.records import ReputationState
from parity_flwr.errors import ConfigError
from parity_flwr.strategies.bookkeeping import Automatic
from parity_flwr.strategies.facts import ScoreFunction
from parity_flwr.strategies.identity import IdentitySource
from parity_flwr.strategies.ruled import RootUpdate
from parity_flwr.strategies.sampling import Sampling


class JournalOptions(TypedDict, total=False):
    """Keywords of every strategy with a journal; type checkers know them.

    A new option is written here and read where it is needed; no constructor repeats it.
    """

    journal: Journal | Automatic | None
    """Where rounds are written; by default ``$PARITY_RUN_DIR`` or a new run under
    ``$PARITY_HOME``; None for nowhere."""

    identity: IdentitySource | None
    """How nodes become identities; by default registered keys in a deployment, reported
    partitions in a simulation."""


class CentralOptions(JournalOptions, total=False):
    """Keywords of strategies that add noise themselves."""

    config: TrustConfig | None
    """Its gate is used."""

    sampling: Sampling | None
    """How many nodes have to be there, and how long to wait."""


class SeededOptions(JournalOptions, total=False):
    """Keywords of every strategy that chooses clients."""

    seed: int | None
    """Makes selection and the update sketches repeatable. Keep it on the server."""

    promise: Budget | None
    """What the ledger of each client allows, for the journal's header: ``parity verify``
    holds the charges against it that clients report."""


class RunOptions(SeededOptions, total=False):
    """Keywords of every strategy that keeps reputation."""

    mode: Mode | str | None
    """A named configuration: "robust" (the default), "paper" or "inclusive"."""

    config: TrustConfig | None
    """Every constant of the protocol, instead of a mode."""

    sampling: Sampling | None
    """How many nodes each phase asks, and how long to wait; by default the inner strategy's."""

    carried: ReputationState | None
    """Reputation from an earlier run."""

    ledger: Ledger | None
    """Told of every round once the journal has it; must return at once. ``parity run
    --chain`` needs none, it reads the journal."""


class Options(RunOptions, total=False):
    """Keywords of :class:`Reputation` and of what is built on it."""

    rule: Rule | None
    """What measures the updates (extension point); by default the configured design's."""

    score: ScoreFunction | None
    """Scores each client's model on data the server holds (extension point)."""

    root: RootUpdate | None
    """Trains on a few examples that the server trusts, as for :class:`FLTrust`; a client
    whose updates point away from its result for long loses weight and reputation. Only with
    the response design, the default."""


def adapted(
    options: RunOptions,
    adapt: Callable[[TrustConfig], TrustConfig],
    *,
    default: TrustConfig | None = None,
) -> RunOptions:
    """Return the options with what they configure, or the default, adapted.

    Examples
    --------
    >>> options = adapted({"seed": 1}, TrustConfig.judging_by_distance)
    >>> options["config"].robustness.design.value
    'neighbour'
    """
    named = options.get("mode") is not None or options.get("config") is not None
    config = default if default is not None and not named else chosen_config(options)
    changed = options.copy()
    changed.pop("mode", None)
    changed["config"] = adapt(config)
    return changed


def check_names(options: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse keywords that are none of the known options.

    Raises
    ------
    ConfigError
        If there is one.

    Examples
    --------
    >>> check_names({"seed": 1}, SeededOptions.__optional_keys__)
    """
    unknown = sorted(options.keys() - set(known))
    if unknown:
        raise ConfigError(
            f"options need the names {', '.join(sorted(known))}",
            came=", ".join(map(repr, unknown))[:200],
            action="choose among them",
        )


def chosen_config(options: RunOptions) -> TrustConfig:
    """Return the configuration that the options name.

    Raises
    ------
    ConfigError
        If an option is unknown, a mode too, or if both a mode and a configuration are given.

    Examples
    --------
    >>> chosen_config({"mode": "paper"}).weights.formula
    <Formula.PAPER: 'paper'>
    """
    check_names(options, Options.__optional_keys__)
    mode, config = options.get("mode"), options.get("config")
    if mode is not None and config is not None:
        raise ConfigError(
            "a strategy needs a mode or a config",
            came="both",
            action="leave one out, or start the config from trust_config(mode)",
        )
    return config or trust_config(Mode.ROBUST if mode is None else mode)


def chosen_root(options: Options, config: TrustConfig) -> RootUpdate | None:
    """Return what trains on the server's root data, None for nothing.

    Raises
    ------
    ConfigError
        If nothing would look at its result: another design, another rule, no memory.

    Examples
    --------
    >>> chosen_root({}, TrustConfig()) is None
    True
    """
    root, robustness = options.get("root"), config.robustness
    if root is None:
        return None
    if options.get("rule") is not None:
        came = "a rule of your own"
    elif robustness.design is not Design.RESPONSE:
        came = f"Design.{robustness.design.name}"
    elif robustness.sketch_size == 0:
        came = "sketch_size=0"
    else:
        return root
    raise ConfigError(
        "a root update needs the response design and its memory",
        came=came,
        action="leave root out, or use the default design, rule and sketch size",
    )

"""Sending what a run left in its outbox, after the run."""

from __future__ import annotations

from typing import Any

from parity_flwr.app.chains.choice import ChainChoice
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.chains.publishing import Publishing
from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.errors import ChainError, ConfigError


def drain_run(
    run: RunFolder, choice: ChainChoice, *, environment: Environment, timeout_s: float
) -> dict[str, Any]:
    """Publish what a run's journal holds and the chain does not; return what became of it.

    Raises
    ------
    ConfigError
        The run was not published to this kind of chain.
    ChainError
        Not everything is in a block that stays; the rest waits in the outbox.
    """
    if not run.publications.is_dir():
        raise ConfigError(
            f"draining needs a run with a --chain, {run.id} to be one",
            came="a run without",
            action="start a run with --chain",
        )
    if choice.embedded != ChainPlaces(run.path).embedded.is_dir():
        raise ConfigError(
            f"draining {run.id} needs the chain that it began with",
            came="embedded" if choice.embedded else "a URL",
            action="pass the same --chain",
        )
    publishing = Publishing(choice, locate=lambda: run, resume=run, environment=environment)
    with publishing:
        done = publishing.finish(timeout_s=timeout_s)
    outcome = publishing.outcome()
    if not done:
        raise ChainError(
            f"draining {run.id} needs every transaction in a block that stays",
            came=outcome["trouble"] or f"{outcome['waiting']} waiting after {timeout_s:g} s",
            action="see that the node works, then try again",
        )
    return {"run_id": run.id, **outcome}

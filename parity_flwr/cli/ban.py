"""`parity ban` and `parity unban`."""

from __future__ import annotations

import click

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.app.text import printable
from parity_flwr.cli.output import Output, examples, json_option
from parity_flwr.errors import ConfigError

MAX_REASON = 1000
_EFFECT = {
    "completed": "that run is over: it takes effect in runs started with --reputation-from",
    "failed": "it takes effect when the run is continued with --resume",
}


def _act(
    kind: str, *, identity: str, reference: str, reason: str, force: bool, as_json: bool
) -> None:
    """Journal a person's decision about an identity."""
    from parity_flwr.app.journal import open_journal
    from parity_flwr.core.records import Action

    folder = RunFolder.find(reference, Environment.read().home)
    journal = open_journal(folder)
    rounds = journal.rounds()
    known = rounds[-1].state.standings if rounds else {}
    if known and identity not in known and not force:
        raise ConfigError(
            f"'parity {kind}' needs an identity that run {folder.id} has met",
            came=repr(identity[:80]),
            action=f"see 'parity reputation {folder.id}', or add --force",
        )
    done = journal.add_action(Action(kind=kind, identity=identity, reason=_sound(reason)))
    result = {
        "run_id": folder.id,
        "action": kind,
        "identity": identity,
        "reason": done.reason,
        "sequence": done.sequence,
    }
    words = f"{kind} of {printable(identity, limit=80)} stands in the journal of {folder.id}; "
    words += _EFFECT.get(journal.status().status, "it takes effect before the next round")
    Output(as_json).result(result, lambda out: out.line(words))


def _sound(reason: str) -> str:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise ConfigError(
            f"--reason needs 1 to {MAX_REASON} characters",
            came=f"{len(reason.strip())}",
            action="say in a sentence why, for those who read the journal later",
        )
    return reason.strip()


_IDENTITY = click.argument("identity")
_RUN = click.option(
    "--run", "reference", default="latest", show_default=True, metavar="RUN", help="Which run."
)
_REASON = click.option("--reason", required=True, help="Why; it stands in the journal.")
_FORCE = click.option("--force", is_flag=True, help="Even if the run has not met the identity.")


@click.command(epilog=examples('parity ban site-3 --reason "sent the same update for a week"'))
@_IDENTITY
@_RUN
@_REASON
@_FORCE
@json_option
def ban(identity: str, reference: str, reason: str, force: bool, as_json: bool) -> None:
    """Give an identity no say from the next round on, whatever its reputation."""
    _act(
        "ban",
        identity=identity,
        reference=reference,
        reason=reason,
        force=force,
        as_json=as_json,
    )


@click.command(epilog=examples('parity unban site-3 --run latest --reason "it was our bug"'))
@_IDENTITY
@_RUN
@_REASON
@_FORCE
@json_option
def unban(identity: str, reference: str, reason: str, force: bool, as_json: bool) -> None:
    """Lift a ban; the identity's reputation decides again."""
    _act(
        "unban",
        identity=identity,
        reference=reference,
        reason=reason,
        force=force,
        as_json=as_json,
    )

"""`parity audit-privacy`."""

from __future__ import annotations

from typing import Any

import click

from parity_flwr.cli.output import Output, examples, json_option, plain_table, quiet_option
from parity_flwr.cli.progress import Meter

_MECHANISMS = ("central", "local", "example")


def _draw(out: Output, found: dict[str, Any]) -> None:
    table = plain_table("figure", "value", "without noise", right=("value", "without noise"))
    member, naked = found["membership"], found["membership_without_noise"]
    table.add_row("claimed epsilon", f"{found['epsilon']:.3g}", "")
    bounds = found["lower_bound"], found["lower_bound_without_noise"]
    table.add_row("audited lower bound", *(f"{each:.3f}" for each in bounds))
    for name, key in (("AUC", "auc"), ("TPR at 1 % FPR", "tpr_at_1_percent_fpr")):
        table.add_row(
            f"membership inference, {name}", f"{member[key]:.3f}", f"{naked[key]:.3f}"
        )
    for name, key in (("perceptron", "inversion"), ("CNN", "cnn_inversion")):
        psnr = found[f"{key}_psnr_db"]
        recovered = f"{psnr['after']:.1f}", f"{psnr['before']:.1f}"
        table.add_row(f"gradient inversion, {name}, PSNR in dB", *recovered)
    table.add_row("  a blind guess", f"{psnr['blind']:.1f}", "")
    out.table(table)
    out.line(
        "without noise: the same code with epsilon 500 promised; inversion: no clip either"
    )
    out.line(_verdict(found), style="bold" if found["holds"] else "bold red")


def _verdict(found: dict[str, Any]) -> str:
    sure = f"{found['confidence']:.0%} confidence"
    if not found["holds"]:
        return f"the claim does not hold ({sure}): {found['lower_bound']:.3f} is above it"
    if not found["conclusive"]:
        return (
            "this proves nothing: without noise the bound stays under the claim too;"
            " audit a smaller epsilon, or use more canaries"
        )
    return f"not refuted ({sure}); without noise it would have been"


@click.command(
    "audit-privacy",
    epilog=examples(
        "parity audit-privacy",
        "parity audit-privacy --mechanism example --epsilon 1",
        "parity audit-privacy --mechanism local --trials 3 --seed 1 --json",
    ),
)
@click.option(
    "--mechanism",
    type=click.Choice(_MECHANISMS),
    default="central",
    show_default=True,
    help="DPFedAvg, LocalDPMod or DPTorchClient.",
)
@click.option("--epsilon", type=float, default=2.0, show_default=True, help="The claim.")
@click.option("--delta", type=float, default=1e-5, show_default=True, help="Of the claim.")
@click.option("--clip", type=float, default=1.0, show_default=True, help="Longest update.")
@click.option(
    "--canaries", type=int, default=1000, show_default=True, help="In each trial, 50 to 2000."
)
@click.option("--trials", type=int, default=1, show_default=True, help="Repetitions, 1 to 20.")
@click.option("--seed", type=int, help="Makes it repeatable; the noise is secret otherwise.")
@quiet_option
@json_option
@click.pass_context
def audit_privacy(
    context: click.Context,
    mechanism: str,
    epsilon: float,
    delta: float,
    clip: float,
    canaries: int,
    trials: int,
    seed: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Attack a mechanism with canaries; exit 1 if its epsilon is refuted.

    Real code, canary data: what is found is a lower bound, at 95 % confidence.
    """
    from parity_flwr.app.privacy_audit.audit import audit_privacy as audit
    from parity_flwr.app.privacy_audit.settings import Audited, AuditSettings, Promise

    settings = AuditSettings(
        mechanism=Audited(mechanism),
        promise=Promise(epsilon=epsilon, delta=delta, clip=clip),
        canaries=canaries,
        trials=trials,
        seed=seed,
    )
    out = Output(as_json, quiet=quiet)
    with Meter(out, "auditing") as meter:
        found = audit(settings, report=meter.notes(2 * settings.trials + 1, first=0))
    out.result(found, lambda out: _draw(out, found))
    context.exit(0 if found["holds"] else 1)

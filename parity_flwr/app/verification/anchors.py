"""What the last lines of a verification say: where the run leads to what is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from parity_flwr.app.chains.evidence import ChainEvidence
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.app.verification.checks import Line
from parity_flwr.app.verification.trust import NAME, NOT_ANCHORED, Trust, trust_lines


def unasked_lines(run: Path, evidence: ChainEvidence | None) -> tuple[Line, ...]:
    """Say so if a run was published to a chain that nobody asked."""
    deployment = ChainPlaces(run).only() if evidence is None else None
    if deployment is None:
        return ()
    detail = f"published to the chain {deployment.chain_id}, not asked: pass --chain URL"
    return (Line("chain record", None, detail),)


def anchor_lines(
    trust: Trust | None, evidence: ChainEvidence | None, roots: Mapping[str, str]
) -> tuple[Line, ...]:
    """Return the line that compares what is trusted with what was found.

    Parameters
    ----------
    trust : Trust or None
        A root, a CID, or the address of the RoundLedger.
    evidence : ChainEvidence or None
        What a chain said.
    roots : mapping of str to str
        What was found without one, by name.

    Raises
    ------
    ConfigError
        An address is trusted, and no chain was asked.
    """
    if trust is None:
        return () if evidence is None else (Line(NAME, None, NOT_ANCHORED),)
    if evidence is None or not trust.is_address:
        return trust_lines(trust, roots)
    ledger = evidence.deployment.ledger
    if trust.value.lower() != ledger.lower():
        return (Line(NAME, False, f"{trust.value} is trusted, the run's ledger is {ledger}"),)
    if not evidence.asked:
        detail = f"the ledger is {trust.value}, on a chain in the run's own folder"
        return (Line(NAME, None, f"{detail}: {NOT_ANCHORED}"),)
    return (Line(NAME, True, f"the ledger {ledger} on {evidence.where} has these rounds"),)

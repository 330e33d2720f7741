"""An offence with what shows it: anybody can check it without the journal (P-31)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from parity_flwr.core.canonical import dumps
from parity_flwr.core.signatures import ballot_payload, update_payload, verify
from parity_flwr.errors import ParityError


class OffenceKind(StrEnum):
    """Why a stake is slashed: the conditions of P-31 that a record can show."""

    MALFORMED = "malformed"  # a signed reply that the gate refused (malicious_behavior)
    BALLOT = "ballot"  # a signed vote against its own score (consensus_violation)
    QUALITY = "quality"  # its reputation fell below the exclusion threshold
    REPEATED = "repeated"  # k errors, timeouts or NaN replies in a row


@dataclass(frozen=True, kw_only=True)
class Offence:
    """One offence with the evidence for it: published as canonical JSON, by its CID."""

    identity: str
    round: int
    kind: str  # of OffenceKind
    severity: int  # millionths
    run_id: str = ""
    reason: str = ""
    base_hash: str = ""  # SHA-256 of the model sent out, hex
    update_hash: str = ""  # SHA-256 of what was signed: arrays, or the candidate model, hex
    num_examples: int | None = None  # n_k as signed
    vote: str = ""  # of a ballot
    loss_rise: int | None = None  # of a ballot, millionths
    public_key: str = ""  # Ed25519, hex
    signature: str = ""  # hex


def evidence_hash(offence: Offence) -> str:
    """Return the SHA-256 of an offence's canonical JSON, hex."""
    return hashlib.sha256(dumps(offence)).hexdigest()


def is_proven(offence: Offence) -> bool:
    """Say whether the offence's own signature shows that its sender sent what it names.

    Only replies and ballots are signed: an absence and a lost reputation are the journal's
    word. Whose key it is the registry says.
    """
    try:
        payload = _signed_payload(offence)
        key, signature = bytes.fromhex(offence.public_key), bytes.fromhex(offence.signature)
    except (ParityError, ValueError):
        return False
    return verify(key, payload, signature)


def _signed_payload(offence: Offence) -> bytes:
    if offence.kind == OffenceKind.BALLOT:
        return ballot_payload(
            run_id=offence.run_id,
            round=offence.round,
            candidate_hash=offence.update_hash,
            vote=offence.vote,
            loss_rise=offence.loss_rise,
        )
    return update_payload(
        run_id=offence.run_id,
        round=offence.round,
        base_hash=offence.base_hash,
        update_hash=offence.update_hash,
        num_examples=offence.num_examples or 0,
    )

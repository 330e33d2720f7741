"""Verifying a bundle: whole first, then the same checks as a run in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.bundle.chain_section import bundled_evidence
from parity_flwr.app.bundle.held import BundledPublished, BundledUpdates
from parity_flwr.app.bundle.journal_section import decode_entries
from parity_flwr.app.bundle.model_check import ModelCheck
from parity_flwr.app.bundle.sealed import Bundle, inspect
from parity_flwr.app.chains.evidence import ChainEvidence, asked_evidence
from parity_flwr.app.journal.chain import Ending, Entry
from parity_flwr.app.pace import Steps, counted, unseen
from parity_flwr.app.verification.anchors import anchor_lines
from parity_flwr.app.verification.chain import ActionCheck, ChainCheck, OrderCheck, SeedCheck
from parity_flwr.app.verification.checks import Check, Line
from parity_flwr.app.verification.decisions import DecisionCheck, SignatureCheck
from parity_flwr.app.verification.onchain import RecordedRounds, RegisteredMembers
from parity_flwr.app.verification.privacy import LedgerCheck
from parity_flwr.app.verification.published import PublishedCheck
from parity_flwr.app.verification.stakes import CountedStakes
from parity_flwr.app.verification.trust import (
    NAME,
    NOT_ANCHORED,
    Trust,
    require_offline,
)
from parity_flwr.app.verification.verify import Verification
from parity_flwr.app.verification.walking import walk
from parity_flwr.errors import ConfigError, JournalError

_NAMED = 3  # damaged places that are named, the rest are counted


@dataclass(frozen=True)
class BundleVerification(Verification):
    """What came out of verifying a bundle."""

    run_id: str  # empty if the table of contents cannot be read
    anchored: bool  # whether it leads to what was trusted


def verify_bundle(
    path: Path,
    *,
    trust: Trust | None = None,
    url: str | None = None,
    steps: Steps = unseen,
) -> BundleVerification:
    """Check a bundle, offline unless `url` names a node to ask.

    Nothing is read out of a bundle with a single wrong bit: the first line names the place.

    Parameters
    ----------
    path : Path
        The file; nothing about it is trusted.
    trust : Trust, optional, keyword-only
        What is known from elsewhere: the bundle's root, the journal's head, the CID of the
        last published round, or an address.
    url : str, optional, keyword-only
        A node of the chain that the run was published to: it is asked for its record, and
        what the bundle says of it is not looked at.
    steps : Steps, optional, keyword-only
        Is told how many of the file's chunks were looked at, then of the journal's entries.

    Raises
    ------
    DataError
        The file cannot be read.
    ConfigError
        An address is to be trusted without a node to ask, or there is nothing to ask for.
    ChainError
        The node is of another chain, or does not answer.
    """
    if trust is not None and url is None:
        require_offline(trust)
    bundle, damages = inspect(path, steps)
    if bundle is None or damages:
        named = "; ".join(str(each) for each in damages[:_NAMED])
        more = f"; and {len(damages) - _NAMED} places more" if len(damages) > _NAMED else ""
        run_id = bundle.contents.run_id if bundle else ""
        return BundleVerification((Line("bundle", False, named + more),), run_id, False)
    return _verified(bundle, trust, _evidence(bundle, url), steps)


def _evidence(bundle: Bundle, url: str | None) -> ChainEvidence | None:
    said = bundled_evidence(bundle)
    if url is None:
        return said
    if said is None:
        raise ConfigError(
            "--chain needs a bundle of a run that was published to a chain",
            came="one that names none",
            action="leave --chain away",
        )
    return asked_evidence(url, said.deployment, said.terms)


def _verified(
    bundle: Bundle, trust: Trust | None, evidence: ChainEvidence | None, steps: Steps
) -> BundleVerification:
    chain = ChainCheck(bundle.contents.run_id)
    files = BundledPublished(bundle)
    published = PublishedCheck(files, run_id=bundle.contents.run_id)
    checks: list[Check] = [
        DecisionCheck(),
        OrderCheck(),
        ActionCheck(),
        ModelCheck(bundle),
        SignatureCheck(bundle.contents.run_id),
        SeedCheck(),
        LedgerCheck(bundle.contents.run_id),
        published,
        *_update_checks(bundle),
    ]
    if evidence is not None:
        rounds = RecordedRounds(evidence, files)
        checks.extend((rounds, RegisteredMembers(evidence, rounds)))
        checks.append(CountedStakes(evidence, rounds))
    lines = (_whole(bundle), *walk(chain, counted(_entries(bundle), steps), checks))
    if not chain.count:
        lines = (*lines, Line("entries", False, "the journal has none"))
    roots = {
        "the bundle's root": bundle.root,
        "the journal's head": chain.head,
        "the last published round": published.root,
    }
    last = anchor_lines(trust, evidence, roots) or (Line(NAME, None, NOT_ANCHORED),)
    lines = (*lines, *last)
    anchored = trust is not None and all(line.ok is not False for line in lines)
    return BundleVerification(lines, bundle.contents.run_id, anchored and bool(lines[-1].ok))


def _whole(bundle: Bundle) -> Line:
    count = len(bundle.contents.sections)
    detail = f"{bundle.end} bytes in {count} sections, root {bundle.root}"
    return Line("bundle", True, detail)


def _entries(bundle: Bundle) -> Iterator[Entry]:
    if "journal" not in bundle.names:
        return iter(())
    return decode_entries(bundle.pieces("journal"), bundle.contents.run_id)


def _update_checks(bundle: Bundle) -> list[Check]:
    if not any(name.startswith("updates/") for name in bundle.names):
        return []
    # It brings Flower along, which the other checks do not need.
    from parity_flwr.app.verification.updates import UpdatesCheck

    return [UpdatesCheck(BundledUpdates(bundle), seed=_revealed_seed(bundle))]


def _revealed_seed(bundle: Bundle) -> bytes:
    """Return the sketches' seed, empty before the run's end or if it cannot be read."""
    seed = b""
    try:
        for entry in _entries(bundle):
            record = entry.record if entry.kind == "end" else None
            if isinstance(record, Ending):
                seed = bytes.fromhex(record.sketch_seed)
    except (JournalError, ValueError):
        return b""
    return seed

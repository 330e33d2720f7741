"""Verifying a bundle: whole first, then the same checks as a run in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.app.bundle.held import BundledPublished, BundledUpdates
from parity_flwr.app.bundle.journal_section import decode_entries
from parity_flwr.app.bundle.model_check import ModelCheck
from parity_flwr.app.bundle.sealed import Bundle, inspect
from parity_flwr.app.journal.chain import Ending, Entry
from parity_flwr.app.verification.chain import ActionCheck, ChainCheck, OrderCheck, SeedCheck
from parity_flwr.app.verification.checks import Check, Line
from parity_flwr.app.verification.decisions import DecisionCheck, SignatureCheck
from parity_flwr.app.verification.privacy import LedgerCheck
from parity_flwr.app.verification.published import PublishedCheck
from parity_flwr.app.verification.trust import (
    NAME,
    NOT_ANCHORED,
    Trust,
    require_offline,
    trust_lines,
)
from parity_flwr.app.verification.verify import Verification
from parity_flwr.app.verification.walking import walk
from parity_flwr.errors import JournalError

Anchor = Callable[[Bundle, str], Check]
"""Makes the check that compares a bundle with what a chain recorded at an address.

It sees every entry of the journal; its line is the last, and says whether the run is anchored.
"""

_NAMED = 3  # damaged places that are named, the rest are counted


@dataclass(frozen=True)
class BundleVerification(Verification):
    """What came out of verifying a bundle."""

    run_id: str  # empty if the table of contents cannot be read
    anchored: bool  # whether it leads to what was trusted


def verify_bundle(
    path: Path, *, trust: Trust | None = None, anchor: Anchor | None = None
) -> BundleVerification:
    """Check a bundle, offline unless `anchor` asks a chain.

    Nothing is read out of a bundle with a single wrong bit: the first line names the place.

    Parameters
    ----------
    path : Path
        The file; nothing about it is trusted.
    trust : Trust, optional, keyword-only
        What is known from elsewhere: the bundle's root, the journal's head, the CID of the
        last published round, or an address.
    anchor : callable, optional, keyword-only
        What checks an address.

    Raises
    ------
    DataError
        The file cannot be read.
    ConfigError
        An address is to be trusted, and there is no anchor to ask.
    """
    if trust is not None and anchor is None:
        require_offline(trust)
    bundle, damages = inspect(path)
    if bundle is None or damages:
        named = "; ".join(str(each) for each in damages[:_NAMED])
        more = f"; and {len(damages) - _NAMED} places more" if len(damages) > _NAMED else ""
        run_id = bundle.contents.run_id if bundle else ""
        return BundleVerification((Line("bundle", False, named + more),), run_id, False)
    return _verified(bundle, trust, anchor)


def _verified(bundle: Bundle, trust: Trust | None, anchor: Anchor | None) -> BundleVerification:
    chain = ChainCheck(bundle.contents.run_id)
    published = PublishedCheck(BundledPublished(bundle), run_id=bundle.contents.run_id)
    checks: list[Check] = [
        DecisionCheck(),
        OrderCheck(),
        ActionCheck(),
        ModelCheck(bundle),
        SignatureCheck(bundle.contents.run_id),
        SeedCheck(),
        LedgerCheck(),
        published,
        *_update_checks(bundle),
    ]
    asks = anchor is not None and trust is not None and trust.is_address
    if anchor is not None and trust is not None and asks:
        checks.append(anchor(bundle, trust.value))
    lines = (_whole(bundle), *walk(chain, _entries(bundle), checks))
    if not chain.count:
        lines = (*lines, Line("entries", False, "the journal has none"))
    if not asks:
        lines = (*lines, *_unasked(bundle))
    if trust is None:
        lines = (*lines, Line(NAME, None, NOT_ANCHORED))
    elif not asks:
        roots = {
            "the bundle's root": bundle.root,
            "the journal's head": chain.head,
            "the last published round": published.root,
        }
        lines = (*lines, *trust_lines(trust, roots))
    anchored = trust is not None and all(line.ok is not False for line in lines)
    return BundleVerification(lines, bundle.contents.run_id, anchored and bool(lines[-1].ok))


def _whole(bundle: Bundle) -> Line:
    count = len(bundle.contents.sections)
    detail = f"{bundle.end} bytes in {count} sections, root {bundle.root}"
    return Line("bundle", True, detail)


def _unasked(bundle: Bundle) -> tuple[Line, ...]:
    """Say so if a chain's records are in the bundle and nobody compared them."""
    held = [name for name in bundle.names if name.startswith("chain/")]
    return (Line("chain records", None, f"{len(held)} not checked here"),) if held else ()


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

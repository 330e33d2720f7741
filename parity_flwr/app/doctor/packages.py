"""Checks of the packages that a run needs, and of their versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from parity_flwr.app.doctor.findings import Check, Health
from parity_flwr.app.installation import Package, capped_packages, extras, own_requirements
from parity_flwr.errors import ConfigError

MIN_PYTHON = (3, 11)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """Check that this Python is one that parity-flwr runs on."""
    fits = version[:2] >= MIN_PYTHON
    return Check(
        name="python",
        health=Health.OK if fits else Health.FAIL,
        detail=f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}",
        action="" if fits else "install Python 3.11 or newer",
    )


def check_packages() -> list[Check]:
    """Check that what parity-flwr needs, and what flwr caps, is installed and fits."""
    found = {each.name: each for each in [*capped_packages(), *own_requirements()]}
    return [
        Check(
            name=each.name,
            health=Health.OK if each.fits else Health.FAIL,
            detail=f"{each.installed or 'not installed'} (needs {each.needed or 'any'})",
            action="" if each.fits else f"pip install '{each.name}{each.needed}'",
        )
        for each in found.values()
    ]


def check_extras(needed: Sequence[str] = ()) -> list[Check]:
    """Check that extras are installed whole or not at all, and those needed whole.

    Raises
    ------
    ConfigError
        There is no extra of a name in `needed`.
    """
    known = extras()
    for name in needed:
        if name not in known:
            raise ConfigError(
                "--extra needs the name of an extra",
                came=ascii(name)[:40],
                action=f"choose from {', '.join(sorted(known))}",
            )
    return [
        _check_extra(name, members, needed=name in needed)
        for name, members in sorted(known.items())
    ]


def _check_extra(name: str, members: Sequence[Package], *, needed: bool) -> Check:
    bad = [each for each in members if not each.fits]
    whole_or_none = not bad or not any(each.installed for each in members)
    wrong = ", ".join(
        f"{each.name} {each.installed or 'missing'} (needs {each.needed or 'any'})"
        for each in bad[:5]
    )
    detail = (
        "installed"
        if not bad
        else "not installed (optional)"
        if whole_or_none and not needed
        else f"incomplete: {wrong}"
    )
    health = Health.FAIL if bad and needed else Health.OK if whole_or_none else Health.WARN
    return Check(
        name=f"extra {name}",
        health=health,
        detail=detail,
        action=f"pip install 'parity-flwr[{name}]'" if bad else "",
    )

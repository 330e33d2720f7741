"""What is installed, against what the installed metadata ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

OURS = "parity-flwr"
CAPPED = ("rich", "typer", "fastapi", "click", "protobuf", "packaging", "pycryptodome")
"""Packages whose newer versions flwr refuses, and that other tools like to upgrade."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One required package: what is needed, what is there, and whether that fits."""

    name: str
    needed: str
    installed: str | None
    fits: bool


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine_requirement(requirement: Requirement) -> Package:
    """Compare one requirement with what is installed."""
    installed = installed_version(requirement.name)
    try:
        fits = installed is not None and requirement.specifier.contains(
            installed, prereleases=True
        )
    except InvalidVersion:
        fits = False
    return Package(
        name=canonicalize_name(requirement.name),
        needed=str(requirement.specifier),
        installed=installed,
        fits=fits,
    )


def parse(lines: Iterable[str], *, extra: str = "") -> list[Requirement]:
    """Return the requirements that count in this environment with this extra alone."""
    found = []
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        plain = marker is None or marker.evaluate({"extra": ""})
        chosen = marker is not None and marker.evaluate({"extra": extra})
        if (chosen and not plain) if extra else plain:
            found.append(requirement)
    return found


def _required(distribution: str) -> list[str]:
    try:
        return list(requires(distribution) or ())
    except PackageNotFoundError:
        return []


def own_requirements() -> list[Package]:
    """Return what parity-flwr needs without extras."""
    return [examine_requirement(each) for each in parse(_required(OURS))]


def capped_packages() -> list[Package]:
    """Return the packages that flwr caps, with flwr's own limits."""
    limits = {str(canonicalize_name(each.name)): each for each in parse(_required("flwr"))}
    return [examine_requirement(limits[name]) for name in CAPPED if name in limits]


def extras() -> dict[str, list[Package]]:
    """Return the packages of each extra; extras made of our own extras are left out."""
    try:
        names = metadata(OURS).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return {}
    lines = _required(OURS)
    members = {
        name: [
            each for each in parse(lines, extra=name) if canonicalize_name(each.name) != OURS
        ]
        for name in map(str, names)
    }
    return {
        name: [examine_requirement(each) for each in found]
        for name, found in members.items()
        if found
    }

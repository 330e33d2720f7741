"""What a check of the doctor finds: one line that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from parity_flwr.errors import ParityError


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what was looked at, what was found, and what to do about it."""

    name: str
    health: Health
    detail: str
    action: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All checks, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return all(check.health is not Health.FAIL for check in self.checks)

    def count(self, health: Health) -> int:
        """Return how many checks came out like this."""
        return sum(check.health is health for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "ok": self.ok,
            "failures": self.count(Health.FAIL),
            "warnings": self.count(Health.WARN),
            "checks": [
                {
                    "name": check.name,
                    "status": check.health.value,
                    "detail": check.detail,
                    "action": check.action,
                }
                for check in self.checks
            ],
        }


def failed(name: str, error: ParityError) -> Check:
    """Return the check that an error ended."""
    return Check(name=name, health=Health.FAIL, detail=error.came, action=error.action)


def place(url: str) -> str:
    """Return where a URL leads without what may be a secret in it.

    Examples
    --------
    >>> place("https://user:pass@rpc.example.org:8545/v3/key?token=1")
    'rpc.example.org:8545'
    """
    parts = urlsplit(url)
    return f"{parts.hostname or '?'}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"

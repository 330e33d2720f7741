"""Training on what was announced to everybody, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flwr.app import Message

from parity_flwr.core.encoding import model_hash
from parity_flwr.core.secagg.session import Session
from parity_flwr.core.secagg.update import configuration_hash
from parity_flwr.errors import ConfigError


def require_announced(session: Session, message: Message, base: Mapping[str, Any]) -> None:
    """Refuse a model or configuration other than the one that everybody signed."""
    settings = {name: dict(each) for name, each in message.content.config_records.items()}
    if model_hash(base) != session.base_hash:
        raise _not_announced("another model")
    if configuration_hash(settings) != session.config_hash:
        raise _not_announced("another configuration")


def _not_announced(came: str) -> ConfigError:
    return ConfigError(
        "secure aggregation needs the model and configuration that were announced to all",
        came=came,
        action="leave the round: a server could tell one client's update by it",
    )

"""Where a run's published content goes, as the environment says."""

from __future__ import annotations

from parity_flwr.app.environment import Environment
from parity_flwr.app.runs.folder import RunFolder
from parity_flwr.chain_bridge.content.directory import DirectoryStore
from parity_flwr.core.content.unixfs import CLASSIC, Profile
from parity_flwr.core.protocols import ContentStore, PinningTarget
from parity_flwr.errors import ConfigError


def content_store(
    run: RunFolder, environment: Environment, *, profile: Profile = CLASSIC
) -> ContentStore:
    """Return the run's own directory, mirrored to an IPFS node under ``PARITY_IPFS_URL``.

    `profile` says how what is published is cut; what is there is read whatever it was.

    Raises
    ------
    ConfigError
        The URL or ``PARITY_IPFS_TOKEN`` cannot be used, or there is a token alone.
    """
    local = DirectoryStore(folder=run.content, profile=profile)
    remote = ipfs_store(environment, profile=profile)
    if remote is None:
        return local
    from parity_flwr.chain_bridge.content.mirror import MirroringStore

    return MirroringStore(local=local, remote=remote)


def ipfs_store(environment: Environment, *, profile: Profile = CLASSIC) -> ContentStore | None:
    """Return the IPFS node under ``PARITY_IPFS_URL``, None without one.

    Raises
    ------
    ConfigError
        The URL or ``PARITY_IPFS_TOKEN`` cannot be used, or there is a token alone.
    """
    if not environment.ipfs_url:
        _require_no_token(environment.ipfs_token, "PARITY_IPFS")
        return None
    # httpx, which a run without a node does not need
    from parity_flwr.chain_bridge.content.http import Service
    from parity_flwr.chain_bridge.content.kubo import KuboStore

    service = Service(url=environment.ipfs_url, token=environment.ipfs_token)
    return KuboStore(service=service, profile=profile)


def pinning_target(environment: Environment) -> PinningTarget | None:
    """Return the pinning service under ``PARITY_PINNING_URL``, None without one.

    Raises
    ------
    ConfigError
        The URL or ``PARITY_PINNING_TOKEN`` cannot be used, or there is a token alone.
    """
    if not environment.pinning_url:
        _require_no_token(environment.pinning_token, "PARITY_PINNING")
        return None
    from parity_flwr.chain_bridge.content.http import Service
    from parity_flwr.chain_bridge.content.pinning import PinningService

    service = Service(url=environment.pinning_url, token=environment.pinning_token)
    return PinningService(service=service)


def _require_no_token(token: str, name: str) -> None:
    if token:
        raise ConfigError(
            f"{name}_TOKEN needs {name}_URL", came="the token alone", action=f"set {name}_URL"
        )

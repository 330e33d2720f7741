"""Where wallets, deployments, locks and the embedded chain lie, below a home or a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from parity_flwr.chain_bridge.deployment import MAX_FILE, Deployment
from parity_flwr.errors import ConfigError
from parity_flwr.files import atomic_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ChainPlaces:
    """The files of one home (or of one run's folder), all below ``ROOT/chain``.

    Parameters
    ----------
    root : Path
        ``$PARITY_HOME``, or a run's folder.
    """

    root: Path

    @property
    def embedded(self) -> Path:
        """The folder of the embedded chain's state."""
        return self.root / "chain" / "embedded"

    @property
    def locks(self) -> Path:
        """The folder of the locks on keys."""
        return self.root / "chain" / "locks"

    def wallet(self, name: str) -> Path:
        """Return the keystore of this name; ConfigError if it is no plain name."""
        if not _NAME.fullmatch(name):
            raise ConfigError(
                "a wallet's name needs 1 to 64 letters, digits, dots, dashes or underscores",
                came=ascii(name)[:80],
                action="choose another name",
            )
        return self.root / "chain" / "wallets" / f"{name}.json"

    def deployment(self, chain_id: int) -> Path:
        """Return the file of the deployment on this chain."""
        return self.root / "chain" / f"deployment-{chain_id}.json"

    @property
    def terms(self) -> Path:
        """The file of what a run pays, and of its members' consents."""
        return self.root / "chain" / "terms.json"

    def only(self) -> Deployment | None:
        """Return the deployment of a run's folder, None if there is none.

        Raises
        ------
        ConfigError
            Its file cannot be read, or there are several.
        """
        names = sorted(path.name for path in (self.root / "chain").glob("deployment-*.json"))
        numbers = [name.removeprefix("deployment-").removesuffix(".json") for name in names]
        if len(numbers) > 1 or not all(number.isdecimal() for number in numbers):
            raise ConfigError(
                f"a run needs one deployment in {self.root / 'chain'}",
                came=", ".join(names)[:200],
                action="keep the one that the run used",
            )
        return self.load(int(numbers[0])) if numbers else None

    def save(self, deployment: Deployment) -> Path:
        """Write a deployment's file, whole or not at all; return where."""
        path = self.deployment(deployment.chain_id)
        try:
            with atomic_file(path) as file:
                file.write(deployment.to_json().encode("ascii"))
        except OSError as error:
            raise ConfigError(
                f"a deployment needs to write {path}",
                came=error.strerror or "an error",
                action="fix the permissions, or set PARITY_HOME",
            ) from error
        return path

    def load(self, chain_id: int) -> Deployment | None:
        """Return the deployment on this chain, None if there is none.

        Raises
        ------
        ConfigError
            Its file cannot be read, or names another chain.
        """
        path = self.deployment(chain_id)
        try:
            with path.open("rb") as file:
                found = Deployment.parse(file.read(MAX_FILE + 1))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(
                f"a deployment needs {path} to be readable",
                came=error.strerror or "an error",
                action="fix its permissions",
            ) from error
        if found.chain_id != chain_id:
            raise ConfigError(
                f"{path.name} needs to be of the chain {chain_id}",
                came=f"one of the chain {found.chain_id}",
                action="deploy again",
            )
        return found

"""Read a compiled contract from the package's data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from parity_flwr.errors import ConfigError, RunError

ContractName = Literal[
    "ParityToken", "ReputationRegistry", "RoundLedger", "Rewards", "NaiveLedger"
]
CONTRACT_NAMES: tuple[ContractName, ...] = get_args(ContractName)
"""The four contracts of a deployment, and NaiveLedger, which is only measured."""

AbiEntry = Mapping[str, Any]


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    Parameters
    ----------
    name : str
        The contract's name.
    abi : tuple of mapping
        Its ABI in Solidity's JSON form, one mapping per function, event or error.
    callers : mapping of str to str
        For each of its own functions that change state, by signature, who may call it.
    bytecode, deployed_bytecode : bytes
        What creates it (without the constructor's arguments), and what then lies on the
        chain (with zeros where immutables go).
    compiler_version : str
        solc's version with its commit.
    settings : mapping
        The compiler's settings.
    source : str
        The source file, below ``chain_bridge/contracts/``.
    source_sha256 : str
        SHA-256 over the list of all files that were compiled, 64 hex digits.
    sha256 : str
        SHA-256 of the artifact file, 64 hex digits.
    """

    name: str
    abi: tuple[AbiEntry, ...]
    callers: Mapping[str, str]
    bytecode: bytes
    deployed_bytecode: bytes
    compiler_version: str
    settings: Mapping[str, Any]
    source: str
    source_sha256: str
    sha256: str

    def entry(self, kind: str, name: str) -> AbiEntry:
        """Return the one function, event or error of this name.

        Raises
        ------
        ConfigError
            If the contract has none: the caller was written for another version.
        """
        for each in self.abi:
            if each["type"] == kind and each.get("name") == name:
                return each
        raise ConfigError(
            f"{self.name} needs the {kind} {name}",
            came="an ABI without it",
            action="call what the contract has",
        )


@cache
def artifact(name: ContractName) -> Artifact:
    """Return a contract that the package carries, its file checked against its hash.

    Raises
    ------
    ConfigError
        If there is no such contract.
    RunError
        If the file is missing or is not the one that was built.

    Examples
    --------
    >>> artifact("RoundLedger").entry("function", "nextRound")["stateMutability"]
    'view'
    """
    if name not in CONTRACT_NAMES:
        raise ConfigError(
            "a contract's name is one of " + ", ".join(CONTRACT_NAMES),
            came=repr(name),
            action="name one of them",
        )
    return read_artifact(files(__name__.rpartition(".")[0]) / "artifacts", name=name)


def read_artifact(folder: Traversable, *, name: str) -> Artifact:
    """Return a contract from a folder of artifacts, its file checked against its hash.

    Parameters
    ----------
    folder : Traversable
        Holds ``<name>.json`` and ``SHA256SUMS``.
    name : str
        The contract's name.

    Raises
    ------
    RunError
        If the file is missing or is not the one that was built.
    """
    return _parsed(_checked(folder, file=f"{name}.json"))


def _checked(folder: Traversable, *, file: str) -> bytes:
    try:
        data = (folder / file).read_bytes()
        sums = (folder / "SHA256SUMS").read_text(encoding="ascii")
    except OSError as error:
        raise _damaged(file, came=str(error)) from None
    if f"{hashlib.sha256(data).hexdigest()}  {file}" not in sums.splitlines():
        raise _damaged(file, came="another hash than SHA256SUMS has")
    return data


def _parsed(data: bytes) -> Artifact:
    fields = json.loads(data)
    return Artifact(
        name=fields["contractName"],
        abi=tuple(fields["abi"]),
        callers=fields["callers"],
        bytecode=bytes.fromhex(fields["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(fields["deployedBytecode"][2:]),
        compiler_version=fields["compiler"]["version"],
        settings=fields["settings"],
        source=fields["source"],
        source_sha256=fields["sourceSha256"],
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _damaged(file: str, *, came: str) -> RunError:
    return RunError(
        f"the compiled contract {file} must be as it was built",
        came=came,
        action="install the package again, or run: make contracts",
    )

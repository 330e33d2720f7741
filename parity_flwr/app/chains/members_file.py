"""The members that a deployment brings: a file of names, keys, accounts and consents."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.contract_wallets import MAX_SIGNATURE, contract_signed
from parity_flwr.chain_bridge.contracts import consent_digest, identity_for
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.membership import registration_intent
from parity_flwr.chain_bridge.wallet import Wallet, signer_of_digest
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.reward_tree import Member, checked_account
from parity_flwr.core.signatures import Signer, verify
from parity_flwr.errors import ConfigError

MAX_BYTES = 32 << 20
MAX_MEMBERS = 20_000
_LONGEST_NAME = 256
_HEX = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One member: wallet and node key agree to be bound to each other in one registry."""

    name: str  # the identity's name in the journal
    node_key: str  # Ed25519 public key, 64 hex digits
    account: str  # the wallet's address
    deadline: int  # when the consent ends, seconds since 1970
    wallet_consent: str  # r, s, v over the registry's EIP-712 digest, 130 hex digits; of a
    # contract (ERC-1271) what it understands, up to 4096 bytes
    node_consent: str  # Ed25519 over the same digest, 128 hex digits

    @property
    def member(self) -> Member:
        """How the registry knows it."""
        identity = identity_for(bytes.fromhex(self.node_key), wallet=self.account)
        return Member(identity=identity, account=self.account)

    def intent(self, deployment: Deployment) -> Intent:
        """Return the wish to register it."""
        return registration_intent(
            bytes.fromhex(self.node_key),
            account=self.account,
            deadline=self.deadline,
            consents=(bytes.fromhex(self.wallet_consent), bytes.fromhex(self.node_consent)),
            deployment=deployment,
        )


def consent(
    name: str, *, wallet: Wallet, signer: Signer, deployment: Deployment, deadline: int
) -> Consent:
    """Return the consent of wallet and node key, to be given to whoever runs the federation."""
    digest = _digest(signer.public_key, wallet.address, deadline, deployment)
    return contract_consent(
        name,
        account=wallet.address,
        signature=wallet.sign_digest(digest),
        signer=signer,
        deployment=deployment,
        deadline=deadline,
    )


def contract_consent(
    name: str,
    *,
    account: str,
    signature: bytes,
    signer: Signer,
    deployment: Deployment,
    deadline: int,
) -> Consent:
    """Return the consent of a node key and of a wallet that signed :func:`to_sign` elsewhere.

    As contract wallets do, whose owners sign with tools of their own (ERC-1271).
    """
    digest = _digest(signer.public_key, account, deadline, deployment)
    return Consent(
        name=name,
        node_key=signer.public_key.hex(),
        account=checked_account(account),
        deadline=deadline,
        wallet_consent=signature.hex(),
        node_consent=signer.sign(digest).hex(),
    )


def to_sign(
    account: str, *, node_key: bytes, deployment: Deployment, deadline: int
) -> Mapping[str, str | int]:
    """Return what a wallet has to sign to consent: the EIP-712 digest, and what makes it."""
    return {
        "digest": "0x" + _digest(node_key, account, deadline, deployment).hex(),
        "type": "Register(bytes32 nodeKey,address wallet,uint256 deadline)",
        "domain": "ParityReputationRegistry 1",
        "chain_id": deployment.chain_id,
        "registry": deployment.registry,
        "node_key": "0x" + node_key.hex(),
        "wallet": checked_account(account),
        "deadline": deadline,
    }


def write_members(consents: Sequence[Consent]) -> str:
    """Return the text of a members file."""
    members = [asdict(each) for each in consents]
    return json.dumps({"version": 1, "members": members}, indent=1) + "\n"


def read_members(
    path: Path, *, deployment: Deployment, chain: Chain | None = None
) -> Mapping[str, Consent]:
    """Return the members in a file by name, each with two consents that hold.

    Parameters
    ----------
    path : Path
    deployment : Deployment, keyword-only
        What they have to consent to.
    chain : Chain, optional, keyword-only
        Is asked whether a wallet that is a contract consents (ERC-1271), once for each;
        without it such members are refused.

    Raises
    ------
    ConfigError
        The file cannot be read, is too large, or a member is malformed, named twice, or did
        not consent to this registry on this chain; the message names it.
    """
    found: dict[str, Consent] = {}
    keys: set[str] = set()
    for number, entry in enumerate(_entries(path), start=1):
        each = _consent(entry, f"member {number} in {path.name}")
        where = f"member {number} in {path.name} ({ascii(each.name)[:40]})"
        if each.name in found or keys & {each.node_key, each.account}:
            raise _wrong(where, "a name, key and account of its own", "one that came before")
        _check_consents(each, deployment, chain, where)
        found[each.name] = each
        keys |= {each.node_key, each.account}
    return found


def _entries(path: Path) -> list[object]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        values = json.loads(data) if len(data) <= MAX_BYTES else None
    except OSError as error:
        came = error.strerror or "an error"
        raise _wrong(path.name, "a members file that can be read", came) from error
    except (ValueError, RecursionError):
        values = None
    members = values.get("members") if isinstance(values, dict) else None
    if not isinstance(members, list) or values != {"version": 1, "members": members}:
        raise _wrong(path.name, "the version 1 and a list of members", "another file")
    if len(members) > MAX_MEMBERS:
        raise _wrong(path.name, f"at most {MAX_MEMBERS} members", str(len(members)))
    return members


def _consent(entry: object, where: str) -> Consent:
    names = {field.name for field in fields(Consent)}
    if not isinstance(entry, dict) or entry.keys() != names:
        raise _wrong(where, f"the fields {', '.join(sorted(names))}", "others")
    name, deadline = entry["name"], entry["deadline"]
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise _wrong(where, f"a name of 1 to {_LONGEST_NAME} characters", ascii(name)[:40])
    if isinstance(deadline, bool) or not isinstance(deadline, int) or not 0 < deadline < 2**63:
        raise _wrong(where, "a deadline in seconds since 1970", ascii(deadline)[:40])
    for field, digits in (("node_key", 64), ("node_consent", 128)):
        value = entry[field]
        if not isinstance(value, str) or len(value) != digits or not _HEX.fullmatch(value):
            raise _wrong(where, f"a {field} of {digits} hex digits", "something else")
    value = entry["wallet_consent"]
    size = len(value) if isinstance(value, str) and _HEX.fullmatch(value) else 0
    if size % 2 or not 0 < size <= 2 * MAX_SIGNATURE:
        raise _wrong(where, f"a wallet_consent of up to {MAX_SIGNATURE} bytes in hex", "others")
    return Consent(**{**entry, "account": checked_account(entry["account"])})


def _digest(node_key: bytes, account: str, deadline: int, deployment: Deployment) -> bytes:
    return consent_digest(
        node_key,
        wallet=checked_account(account),
        deadline=deadline,
        registry=deployment.registry,
        chain_id=deployment.chain_id,
    )


def _check_consents(
    each: Consent, deployment: Deployment, chain: Chain | None, where: str
) -> None:
    node_key, signature = bytes.fromhex(each.node_key), bytes.fromhex(each.wallet_consent)
    digest = _digest(node_key, each.account, each.deadline, deployment)
    if not _wallet_signed(chain, each.account, digest, signature):
        asked = "" if chain is not None else ", and no chain to ask about a contract wallet"
        came = f"another signature{asked}"
        raise _wrong(where, "the consent of its wallet to this registry", came)
    if not verify(node_key, digest, bytes.fromhex(each.node_consent)):
        raise _wrong(where, "the consent of its node key to this registry", "another signature")


def _wallet_signed(chain: Chain | None, account: str, digest: bytes, signature: bytes) -> bool:
    if len(signature) == 65 and signer_of_digest(digest, signature) == account:
        return True
    return chain is not None and contract_signed(chain, account, digest, signature)


def _wrong(where: str, needed: str, came: str) -> ConfigError:
    return ConfigError(
        f"{where} needs {needed}",
        came=came,
        action="see docs/chain.md, and ask the member for 'parity consent' again",
    )

"""The contracts of a deployment: put on a chain once, then known by a small file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from parity_flwr.chain_bridge.calls import decode_result, encode_call, encode_creation
from parity_flwr.chain_bridge.chain import Call, Chain
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.chain_bridge.rpc_answers import wrong_chain
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.core.abi import checksum_address
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.amounts import UNIT
from parity_flwr.errors import ChainError, ConfigError

DAY_S = 86_400
MAX_FILE = 1 << 16
FUNDING_GAS = 150_000
_ADDRESSES = ("owner", "token", "ledger", "rewards", "registry")


@dataclass(frozen=True, kw_only=True)
class DeploymentSettings:
    """What is fixed for good when the contracts are made; amounts in 1e-18 token."""

    supply_cap: int = 10**11 * UNIT
    delay_s: int = 3_600  # until a round's root counts, time for a dispute
    dispute_bond: int = 100 * UNIT
    unbonding_s: int = 30 * DAY_S
    appeal_s: int = 7 * DAY_S
    base_penalty: int = 100 * UNIT  # P-32


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Where the contracts of a run or of a home are, and on which chain.

    Examples
    --------
    >>> zero = "0x" + "0" * 40
    >>> made = Deployment(chain_id=1, owner=zero, token=zero, ledger=zero, rewards=zero,
    ...                   registry=zero, first_block=7)
    >>> Deployment.parse(made.to_json().encode()) == made
    True
    """

    chain_id: int
    owner: str  # deployed them, publishes rounds, may pause
    token: str
    ledger: str
    rewards: str
    registry: str
    first_block: int  # nothing of theirs is below

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps({"version": 1, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def parse(cls, data: bytes) -> Deployment:
        """Return the deployment in a file; ConfigError if it is none."""
        try:
            values = json.loads(data) if len(data) <= MAX_FILE else None
        except (ValueError, RecursionError):
            values = None
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or values.keys() != names | {"version"}:
            raise _no_deployment("a file with other fields")
        if values.pop("version") != 1:
            raise _no_deployment("another version")
        for name in _ADDRESSES:
            values[name] = _address(values[name])
        for name in values.keys() - {*_ADDRESSES}:
            value = values[name]
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
                raise _no_deployment("a number out of range")
        return cls(**values)

    @property
    def contracts(self) -> tuple[str, ...]:
        """The addresses whose events are followed."""
        return self.token, self.ledger, self.rewards, self.registry

    def check(self, chain: Chain) -> None:
        """Refuse a chain that is not this deployment's, or that lacks the ledger.

        Raises
        ------
        ChainError
            It is another chain, or another one with the same id (it was started afresh).
        """
        if chain.chain_id != self.chain_id:
            raise wrong_chain(needed=self.chain_id, came=chain.chain_id)
        found = _ask(chain, "RoundLedger", self.ledger, "rewards")
        if checksum_address(str(found)[2:]) != self.rewards:
            raise ChainError(
                f"this deployment needs its RoundLedger at {self.ledger}",
                came="another contract",
                action="deploy again, or pass the right file",
            )


def deploy(
    sender: Sender,
    chain: Chain,
    *,
    settings: DeploymentSettings | None = None,
    timeout_s: float = 120.0,
) -> Deployment:
    """Put the contracts on a chain, owned by the sender's account.

    Deploying again with the same outbox after a crash goes on where it stopped.

    Raises
    ------
    ChainError
        A transaction failed, or no block took it in time.
    """
    chosen = settings or DeploymentSettings()
    head = chain.block("latest")
    owner = sender.address
    first_block = head.number if head is not None else 0
    token = _create(sender, "ParityToken", (owner, chosen.supply_cap), timeout_s)
    terms = (token, owner, owner, chosen.delay_s, chosen.dispute_bond)
    ledger = _create(sender, "RoundLedger", terms, timeout_s)
    rewards = checksum_address(str(_ask(chain, "RoundLedger", ledger, "rewards"))[2:])
    parameters = (chosen.unbonding_s, chosen.appeal_s, chosen.base_penalty)
    registry = _create(
        sender, "ReputationRegistry", (token, ledger, owner, owner, parameters), timeout_s
    )
    return Deployment(
        chain_id=chain.chain_id,
        owner=owner,
        token=token,
        ledger=ledger,
        rewards=rewards,
        registry=registry,
        first_block=first_block,
    )


def fund_pool(
    sender: Sender, deployment: Deployment, *, amount: int, key: str, timeout_s: float = 120.0
) -> None:
    """Mint tokens and put them into the pool of rewards, once per key.

    Raises
    ------
    ChainError
        A transaction failed, or no block took it in time.
    """
    for intent in funding_intents(deployment, amount=amount, key=key):
        sender.submit(intent)
    sender.settle(timeout_s=timeout_s)


def funding_intents(deployment: Deployment, *, amount: int, key: str) -> tuple[Intent, ...]:
    """Return the wishes to mint tokens and put them into the pool, in this order.

    Each works only after the one before, so that a node cannot estimate them while they
    wait together: their gas is given. Measured: at most 76,000.
    """
    token = artifact("ParityToken")
    calls = (
        ("mint", deployment.token, encode_call(token, "mint", (deployment.owner, amount))),
        ("approve", deployment.token, _approval(deployment, amount)),
        ("fund", deployment.rewards, encode_call(artifact("Rewards"), "fund", (amount,))),
    )
    return tuple(
        Intent(key=f"{key}/{name}", to=to, data=data, gas=FUNDING_GAS)
        for name, to, data in calls
    )


def next_round(chain: Chain, deployment: Deployment) -> int:
    """Return the number that the ledger's next round must have; the first is 1."""
    return int(_ask(chain, "RoundLedger", deployment.ledger, "nextRound"))


def funded(chain: Chain, deployment: Deployment) -> int:
    """Return all that was ever put into the pool, in units of 1e-18 token."""
    return int(_ask(chain, "Rewards", deployment.rewards, "funded"))


def _approval(deployment: Deployment, amount: int) -> bytes:
    return encode_call(artifact("ParityToken"), "approve", (deployment.rewards, amount))


def _create(
    sender: Sender, name: ContractName, arguments: tuple[Any, ...], timeout_s: float
) -> str:
    key = f"deploy/{name}"
    sender.submit(Intent(key=key, to=None, data=encode_creation(artifact(name), arguments)))
    sender.settle(timeout_s=timeout_s)
    row = sender.outbox.find(key)
    if row is None or row.created is None:
        raise ChainError(
            f"{name} needs an address", came="none", action="deploy again with a new outbox"
        )
    return row.created


def _ask(chain: Chain, name: ContractName, where: str, function: str) -> Any:
    contract = artifact(name)
    answer = chain.call(Call(to=where, data=encode_call(contract, function, ())))
    return decode_result(contract, function, answer)[0]


def _address(value: object) -> str:
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if len(digits) != 40 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise _no_deployment("something else where an address belongs")
    return checksum_address(digits)


def _no_deployment(came: str) -> ConfigError:
    return ConfigError(
        "a deployment's file needs the fields that 'parity chain deploy' writes",
        came=came,
        action="deploy again",
    )

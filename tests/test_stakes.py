"""What is at stake, from the registry's events: the same as the contract says, at any block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chain_cases import Node, sending
from parity_flwr.app.chains.evidence import gather
from parity_flwr.chain_bridge.calls import decode_result, encode_call
from parity_flwr.chain_bridge.chain import Call, Height
from parity_flwr.chain_bridge.contracts import ContractName, artifact
from parity_flwr.chain_bridge.deployment import Deployment, DeploymentSettings, deploy
from parity_flwr.chain_bridge.membership import approve_intent, register_intent
from parity_flwr.chain_bridge.memory_outbox import MemoryOutbox
from parity_flwr.chain_bridge.sender import Sender
from parity_flwr.chain_bridge.stakes import stakes_at
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.core.anchoring import Intent
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.core.signatures import Ed25519Signer
from stake_cases import LATER, PUBLISHER, node_of

pytest.importorskip("eth")

CID = bytes.fromhex("01551220") + bytes(32)
PERIOD_S = 10_000


class Registry:
    """A registry with two members, and everything that can happen to their stakes."""

    def __init__(
        self, node: Node, owner: Sender, senders: list[Sender], wallets: list[Wallet]
    ) -> None:
        settings = DeploymentSettings(appeal_s=PERIOD_S, unbonding_s=PERIOD_S, base_penalty=40)
        self.node, self.owner, self.senders = node, owner, senders
        self.made: Deployment = deploy(owner, node.chain, settings=settings)
        self.members: list[Member] = []
        self.count = 0
        self.do(owner, "ParityToken", "mint", self.made.owner, 10**6)
        owner.submit(
            approve_intent(self.made.registry, amount=10**6, deployment=self.made, key="a")
        )
        for wallet in wallets:
            member, intent = register_intent(
                wallet, Ed25519Signer.generate(),
                deployment=self.made, deadline=LATER,
            )  # fmt: skip
            owner.submit(intent)
            self.members.append(member)
        owner.settle(timeout_s=60)

    def do(
        self, sender: Sender, contract: ContractName, function: str, *values: object
    ) -> None:
        self.count += 1
        place = {"ParityToken": self.made.token, "ReputationRegistry": self.made.registry}
        data = encode_call(artifact(contract), function, values)
        sender.submit(Intent(key=f"do/{self.count}", to=place[contract], data=data))
        sender.settle(timeout_s=60)

    def get(self, member: Member, at: Height = "latest") -> tuple[int, int, int, int]:
        """Return status, stake, unbonding and held."""
        built = artifact("ReputationRegistry")
        call = Call(to=self.made.registry, data=encode_call(built, "get", (member.identity,)))
        found = decode_result(built, "get", self.node.chain.call(call, at=at))[0]
        return found[1], found[4], found[5], found[6]


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=pytest.mark.slow)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    wallets = [Wallet(bytes([k + 1]) * 32) for k in range(2)]
    with node_of(request.param) as (node, _):
        for wallet in wallets:
            node.fund(wallet.address)
        with (
            sending(node.chain, MemoryOutbox(), tmp_path, wallet=PUBLISHER) as owner,
            sending(node.chain, MemoryOutbox(), tmp_path, wallet=wallets[0]) as first,
            sending(node.chain, MemoryOutbox(), tmp_path, wallet=wallets[1]) as second,
        ):
            yield Registry(node, owner, [first, second], wallets)


# Who acts on which member's stake, in base units; a full slash takes 40 (P-32 with R = 500).
STORY: tuple[tuple[str, int, int], ...] = (
    ("deposit", 0, 100), ("deposit", 1, 70), ("unbond", 0, 30), ("slash", 0, 1_000_000),
    ("slash", 0, 1_000_000), ("reverseSlash", 0, 0), ("slash", 0, 250_000), ("withdraw", 0, 0),
    ("deposit", 0, 5), ("slash", 1, 500_000), ("retire", 1, 0), ("reverseSlash", 1, 0),
)  # fmt: skip
STAKES = (
    (100, 0), (100, 70), (70, 70), (30, 70), (0, 70), (80, 70), (70, 70), (70, 70), (75, 70),
    (75, 50), (75, 0), (75, 0),
)  # fmt: skip


def test_the_events_give_what_the_contract_has(registry: Registry) -> None:
    blocks = []
    for function, which, amount in STORY:
        mine = function in ("unbond", "withdraw", "retire")
        identity = registry.members[which].identity
        values: tuple[object, ...] = (identity, amount) if amount else (identity,)
        if function == "slash":
            values = (*values, CID)
        if function == "withdraw":
            registry.node.pass_time(PERIOD_S)
        caller = registry.senders[which] if mine else registry.owner
        registry.do(caller, "ReputationRegistry", function, *values)
        head = registry.node.chain.block("latest")
        assert head is not None
        blocks.append(head.number)
    logs = gather(registry.node.chain, registry.made)
    for block, right in zip(blocks, STAKES, strict=True):
        found = stakes_at(logs, registry=registry.made.registry, block=block)
        names = [member.identity for member in registry.members]
        assert tuple(found.get(name, 0) for name in names) == right
        assert tuple(registry.get(each, block)[1] for each in registry.members) == right
        assert 0 not in found.values()


def test_without_events_nothing_is_at_stake() -> None:
    assert stakes_at((), registry="0x" + "11" * 20, block=9) == {}

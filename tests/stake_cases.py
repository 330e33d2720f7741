"""Nodes, members and stakes for the tests of runs that count stakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from anvil_node import FUNDED, Anvil, find_anvil
from chain_cases import ETHER, Node, served
from parity_flwr.app.chains.members_file import consent, write_members
from parity_flwr.app.chains.places import ChainPlaces
from parity_flwr.chain_bridge.connecting import connect
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.embedded import EmbeddedChain
from parity_flwr.chain_bridge.wallet import Wallet
from parity_flwr.cli.main import execute
from parity_flwr.core.signatures import Ed25519Signer

LATER = 4_000_000_000
PUBLISHER = Wallet(bytes.fromhex(FUNDED))


@contextmanager
def node_of(kind: str) -> Iterator[tuple[Node, str]]:
    """Start anvil, or the embedded chain behind JSON-RPC; give it and its URL."""
    if kind == "embedded":
        with EmbeddedChain(None) as chain, served(chain) as url:
            chain.fund(PUBLISHER.address, 1000 * ETHER)
            yield Node(connect(url), behind=chain), url
        return
    program = find_anvil()
    if program is None:
        pytest.skip("needs anvil: npm install --no-save @foundry-rs/anvil@1.7.1")
    with Anvil(program) as anvil:
        yield Node(anvil.chain(), anvil=anvil), anvil.url


@dataclass
class Federation:
    """A home with contracts on a node, and members who consented to them."""

    node: Node
    url: str
    home: Path
    members: Path
    wallets: dict[str, Wallet] = field(default_factory=dict)

    @property
    def deployment(self) -> Deployment:
        """The contracts."""
        found = ChainPlaces(self.home).load(self.node.chain.chain_id)
        assert found is not None
        return found

    @property
    def deployed(self) -> Path:
        """The deployment's file, as members get it."""
        return ChainPlaces(self.home).deployment(self.node.chain.chain_id)

    def deploy(self, *names: str) -> None:
        """Deploy as a user does, and let members of these names consent."""
        arguments = ["chain", "deploy", "--chain", self.url, "--delay", "0"]
        assert execute(arguments) == 0
        consents = []
        for name in names:
            wallet = self.wallets[name] = Wallet.generate()
            self.node.fund(wallet.address)
            signer = Ed25519Signer.generate()
            consents.append(
                consent(
                    name,
                    wallet=wallet,
                    signer=signer,
                    deployment=self.deployment,
                    deadline=LATER,
                )
            )
        self.members.write_text(write_members(consents))

    def stake(self, patch: pytest.MonkeyPatch, name: str, tokens: str) -> None:
        """Give a registered member tokens, and put them at stake with its own key."""
        wallet = self.wallets[name]
        assert execute(["chain", "mint", wallet.address, tokens, "--chain", self.url]) == 0
        with as_member(patch, wallet):
            command = ["chain", "stake", tokens, "--chain", self.url]
            assert execute([*command, "--deployment", str(self.deployed)]) == 0


@contextmanager
def as_member(patch: pytest.MonkeyPatch, wallet: Wallet) -> Iterator[None]:
    """Use a member's key instead of the publisher's, as on the member's machine."""
    with patch.context() as inner:
        inner.setenv("PARITY_CHAIN_KEY", wallet.key.hex())
        yield

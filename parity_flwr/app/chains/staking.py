"""The stakes that count in a run: read once, before its first round is published (P-28)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from parity_flwr.app.chains.evidence import gather
from parity_flwr.chain_bridge.chain import Chain
from parity_flwr.chain_bridge.deployment import Deployment
from parity_flwr.chain_bridge.stakes import stakes_at
from parity_flwr.chain_bridge.wallet import DEVELOPMENT_CHAINS
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.core.economy.reward_tree import Member
from parity_flwr.errors import ConfigError

_SETTLED = 2  # blocks on top, as a transaction needs them


@dataclass(frozen=True, kw_only=True)
class MemberStakes:
    """What members have at stake as of a block; empty where all count alike."""

    amounts: Mapping[str, int] = field(default_factory=dict)  # base units by name
    identities: Mapping[str, str] = field(default_factory=dict)  # by name: "0x", 64 digits
    block: int = 0

    def counted(self, rewards: RewardConfig) -> RewardConfig:
        """Return what rounds pay with these stakes."""
        return replace(rewards, stakes=self.amounts) if self.amounts else rewards


def staked_members(
    chain: Chain, deployment: Deployment, members: Mapping[str, Member]
) -> MemberStakes:
    """Return what members have at stake now.

    The block is two below the head, on development chains the head itself. Who has nothing
    at stake is left out and earns nothing.

    Raises
    ------
    ConfigError
        Nobody has anything at stake.
    ChainError
        The node does not answer, or not soundly.
    """
    head = chain.block("latest")
    back = 0 if chain.chain_id in DEVELOPMENT_CHAINS else _SETTLED
    block = max(0, (head.number if head is not None else 0) - back)
    held = stakes_at(gather(chain, deployment), registry=deployment.registry, block=block)
    found = {
        name: held[member.identity]
        for name, member in sorted(members.items())
        if member.identity in held
    }
    if not found:
        raise ConfigError(
            "--by-stake needs a member with tokens at stake before the run begins",
            came=f"{len(members)} members, none with a stake as of block {block}",
            action="see 'parity chain register' and 'parity stake', or leave --by-stake out",
        )
    names = {name: "0x" + members[name].identity.hex() for name in found}
    return MemberStakes(amounts=found, identities=names, block=block)

"""What ``--chain`` and its companions ask of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from parity_flwr.chain_bridge.connecting import EMBEDDED
from parity_flwr.core.economy.claims import RewardConfig
from parity_flwr.errors import ConfigError

OFF = "off"


@dataclass(frozen=True, kw_only=True)
class ChainChoice:
    """Where a run's rounds go, who signs, who is paid, and how much a round pays.

    Raises
    ------
    ConfigError
        ``where`` is neither "embedded" nor a URL, a wallet or members are named for the
        embedded chain, whose keys a run makes for itself, or stakes are to count without
        members.
    """

    where: str = EMBEDDED
    wallet: str | None = None  # a wallet of the home; None: PARITY_CHAIN_KEY or "default"
    members: Path | None = None  # who is registered, see members_file.read_members
    rewards: RewardConfig = field(default_factory=RewardConfig)
    by_stake: bool = False  # whether what members have at stake counts (S of P-28)

    def __post_init__(self) -> None:
        if self.by_stake and self.members is None:
            raise ConfigError(
                "--by-stake needs --members, whose stakes are read when the run begins",
                came="none",
                action="give --chain a URL and --members a file, or leave --by-stake out",
            )
        if self.embedded:
            for name, value in (("--wallet", self.wallet), ("--members", self.members)):
                if value is not None:
                    raise ConfigError(
                        f"{name} needs a chain behind a URL",
                        came="the embedded chain, for which a run makes its own keys",
                        action=f"leave {name} out, or give --chain a URL",
                    )
        elif not self.where.startswith(("http://", "https://")):
            raise ConfigError(
                "--chain needs 'off', 'embedded' or the URL of a node (http:// or https://)",
                came=ascii(self.where)[:20],
                action="change --chain",
            )

    @property
    def embedded(self) -> bool:
        """Whether it is the chain in the run's own folder."""
        return self.where == EMBEDDED

    @classmethod
    def parse(
        cls,
        where: str | None,
        *,
        wallet: str | None = None,
        members: Path | None = None,
        by_stake: bool = False,
    ) -> ChainChoice | None:
        """Return what the options ask for, None for no chain.

        Examples
        --------
        >>> ChainChoice.parse("off") is None
        True
        >>> ChainChoice.parse("embedded").embedded
        True
        """
        if where is not None and where != OFF:
            return cls(where=where, wallet=wallet, members=members, by_stake=by_stake)
        given = (("--wallet", wallet), ("--members", members), ("--by-stake", by_stake or None))
        for name, value in given:
            if value is not None:
                raise ConfigError(
                    f"{name} needs a --chain", came="none", action="give --chain a URL"
                )
        return None

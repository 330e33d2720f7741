"""Our client mods in the one order that works."""

from __future__ import annotations

from collections.abc import Sequence

from flwr.clientapp.typing import Mod

from parity_flwr.clients.adapter import numpy_client_mod
from parity_flwr.clients.charges import charges_mod
from parity_flwr.clients.guard import guard_mod
from parity_flwr.clients.identity import identity_mod
from parity_flwr.clients.local_dp import LocalDPMod
from parity_flwr.clients.signing import SignerSource, SigningMod
from parity_flwr.clients.validation import ValidationMod
from parity_flwr.core.privacy.combinations import Hiding
from parity_flwr.core.privacy.foreign import refuse_foreign
from parity_flwr.errors import ConfigError


def parity_mods(
    signer: SignerSource | None = None,
    *,
    inner: Sequence[Mod] = (),
    numpy_client: bool = True,
) -> list[Mod]:
    """Return guard, signing, identity, charges, validation, inner and adapter, in that order.

    - The guard is outside, so that no other mod's error text leaves the client.
    - Signing sees the reply as it leaves.
    - Charges to the client's privacy ledger leave with the reply they paid for.
    - Validation answers validators' requests with the client's own evaluation.
    - ``inner`` (attacks, privacy) sees messages of the new API and is signed.
    - The adapter is last, next to the ``client_fn``. An app made of functions has none:
      ``numpy_client=False``, and :func:`~parity_flwr.clients.identity.identify` beside it.

    Raises
    ------
    ConfigError
        If ``inner`` holds one of Flower's own privacy mods, hides updates twice, or changes
        them after they were hidden. Mods given to the app beside this list are not seen.

    Examples
    --------
    >>> from flwr.client import NumPyClient
    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(lambda context: NumPyClient().to_client(), mods=parity_mods())
    """
    check_mods(inner)
    signing: list[Mod] = [] if signer is None else [SigningMod(signer)]
    adapter: list[Mod] = [numpy_client_mod] if numpy_client else []
    return [
        guard_mod,
        *signing,
        identity_mod,
        charges_mod,
        ValidationMod(signer),
        *inner,
        *adapter,
    ]


def check_mods(mods: Sequence[Mod]) -> None:
    """Check that privacy mods go together, in this order, the outermost first.

    Raises
    ------
    ConfigError
        With the reason and the nearest thing that can.

    Examples
    --------
    >>> check_mods([guard_mod])
    """
    for each in mods:
        refuse_foreign(each, beside="parity_mods")
    hiding = [k for k, each in enumerate(mods) if _hiding(each) is not Hiding.NONE]
    if len(hiding) > 1:
        raise ConfigError(
            "updates can be hidden once: masks over ciphertexts do not cancel in any sum",
            came=" and ".join(_name(mods[k]) for k in hiding),
            action="use one of SecAggMod and EncryptionMod",
        )
    outside = [each for each in mods[: max(hiding, default=0)] if _changes(each)]
    if outside:
        raise ConfigError(
            "noise needs to be in the update before it is hidden",
            came=f"{_name(outside[0])} before {_name(mods[hiding[0]])}",
            action=f"put {_name(mods[hiding[0]])} first among the inner mods",
        )
    noise = [each for each in mods if _changes(each)]
    if len(noise) > 1:
        raise ConfigError(
            "an update needs one mod that adds noise: two would be charged as two releases",
            came=" and ".join(map(_name, noise)),
            action="use one LocalDPMod with the budget that you mean",
        )


def _hiding(mod: Mod) -> Hiding:
    found = getattr(mod, "hiding", Hiding.NONE)
    return found if isinstance(found, Hiding) else Hiding.NONE


def _changes(mod: Mod) -> bool:
    return isinstance(mod, LocalDPMod)


def _name(mod: Mod) -> str:
    return str(getattr(mod, "__name__", type(mod).__name__))

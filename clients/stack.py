"""Our client mods in the one order that works."""

from __future__ import annotations

from collections.abc import Sequence

from flwr.clientapp.typing import Mod

from parity_flwr.clients.adapter import numpy_client_mod
from parity_flwr.clients.charges import charges_mod
from parity_flwr.clients.guard import guard_mod
from parity_flwr.clients.identity import identity_mod
from parity_flwr.clients.signing import SignerSource, SigningMod
from parity_flwr.clients.validation import ValidationMod


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

    Examples
    --------
    >>> from flwr.client import NumPyClient
    >>> from flwr.clientapp import ClientApp
    >>> app = ClientApp(lambda context: NumPyClient().to_client(), mods=parity_mods())
    """
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

"""What the server hands on of the dealt shares: sealed ones only, and who dealt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity_flwr.core.secagg.messages import SEALED_BYTES, pack_subset, pieces, unpack_subset
from parity_flwr.core.secagg.participants import Participants


def pack_delivery(
    everybody: Participants, holder: int, delivery: Mapping[int, bytes]
) -> dict[str, Any]:
    """Return what one holder gets, by dealer, as plain values for a message.

    Shares that the holder derives itself are empty bytes, and take none.
    """
    neighbours = everybody.neighbours(holder)
    sealed = b"".join(delivery.get(each, b"") for each in neighbours)
    return {"from": pack_subset(neighbours, delivery), "sealed": sealed}


def unpack_delivery(
    record: Mapping[str, object], everybody: Participants, holder: int
) -> dict[int, bytes]:
    """Read a delivery, by dealer; ConfigError for anything malformed."""
    dealers = unpack_subset(everybody.neighbours(holder), record.get("from"))
    sent = [each for each in dealers if not everybody.is_fixed(each, holder)]
    sealed = pieces(record.get("sealed"), SEALED_BYTES, count=len(sent))
    return dict.fromkeys(dealers, b"") | dict(zip(sent, sealed, strict=True))

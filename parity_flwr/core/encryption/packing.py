"""Several small integers in one slot, with room for their sums.

A slot holds the digits of a number in base ``radix = addends * levels + 1``. Up to
``addends`` slots can be added without a carry from one digit into the next, because a digit
of the sum is at most ``addends * levels``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_flwr.core.fixed_point import MAX_SUM, check_addends
from parity_flwr.errors import ConfigError, DataError

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How integers from 0 to ``levels`` share a slot.

    Parameters
    ----------
    addends : int
        The most slots that may be added.
    levels : int
        The largest integer.
    digits : int
        Integers in one slot; ``radix ** digits`` is at most 2^62.

    Examples
    --------
    >>> packing = Packing(addends=2, levels=4, digits=3)
    >>> slots = packing.pack(np.array([4, 0, 1, 3]))
    >>> packing.unpack(slots + slots, size=4).tolist()
    [8, 0, 2, 6]
    """

    addends: int
    levels: int
    digits: int

    def __post_init__(self) -> None:
        check_addends(self.addends, self.levels)
        if self.digits < 1 or self.radix**self.digits > MAX_SUM:
            raise ConfigError(
                "a slot needs room for its digits, 62 bits at most",
                came=f"{self.digits} digits in base {self.radix}",
                action="pack fewer",
            )

    @property
    def radix(self) -> int:
        """The base of the digits: one more than the largest sum."""
        return self.addends * self.levels + 1

    @property
    def capacity(self) -> int:
        """One more than the largest slot, and than the largest sum of ``addends`` slots."""
        return int(self.radix**self.digits)

    def slots_for(self, size: int) -> int:
        """Return how many slots hold that many integers."""
        return -(-size // self.digits)

    def pack(self, integers: Integers) -> Integers:
        """Return the slots, int64; digit j of slot i is ``integers[j * slots + i]``.

        Raises
        ------
        DataError
            If an integer is outside [0, levels]: it would run into its neighbour.
        """
        if integers.size and (integers.min() < 0 or integers.max() > self.levels):
            raise DataError(
                f"packing needs integers from 0 to {self.levels}",
                came=f"{int(integers.min())} to {int(integers.max())}",
                action="quantise with the same grid",
            )
        count = self.slots_for(integers.size)
        slots = np.zeros(count, np.int64)
        for digit in reversed(range(self.digits)):
            slots *= self.radix
            part = integers[digit * count : (digit + 1) * count]
            slots[: part.size] += part
        return slots

    def unpack(self, slots: Integers, *, size: int) -> Integers:
        """Return the first ``size`` integers of a sum of at most ``addends`` slots.

        Raises
        ------
        DataError
            If a slot holds no such sum.
        """
        if slots.size != self.slots_for(size):
            raise DataError(
                f"{size} integers need {self.slots_for(size)} slots",
                came=str(slots.size),
                action="unpack with what they were packed with",
            )
        if slots.size and (slots.min() < 0 or slots.max() >= self.capacity):
            raise DataError(
                "a slot needs to be in its range", came="one outside", action="ask again"
            )
        rest = slots.copy()
        integers = np.empty(slots.size * self.digits, np.int64)
        for digit in range(self.digits):
            quotient = rest // self.radix
            part = integers[digit * slots.size : (digit + 1) * slots.size]
            np.multiply(quotient, self.radix, out=part)
            np.subtract(rest, part, out=part)
            rest = quotient
        return integers[:size]

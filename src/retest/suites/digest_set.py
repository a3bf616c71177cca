"""A set of 64-bit digests that takes 8 to 20 bytes per member, where Python's own takes about 70."""

from __future__ import annotations

from array import array

_START_BITS = 12
_EMPTY = 0
_MASK = (1 << 64) - 1


class DigestSet:
    """Open addressing in one flat array; digests are spread evenly, so the low bits are the slot."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << _START_BITS))
        self._mask = (1 << _START_BITS) - 1
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, digest: int) -> bool:
        """Add the low 64 bits of a digest; return whether they were there already."""
        value = (digest & _MASK) or 1  # 0 marks an empty slot
        if self._place(value):
            return True
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._grow()
        return False

    def _place(self, value: int) -> bool:
        slots, mask = self._slots, self._mask
        slot = value & mask
        while slots[slot] != _EMPTY:
            if slots[slot] == value:
                return True
            slot = (slot + 1) & mask
        slots[slot] = value
        return False

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        self._mask = len(self._slots) - 1
        for value in old:
            if value != _EMPTY:
                self._place(value)

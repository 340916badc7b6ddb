# SPDX-License-Identifier: GPL-2.0-only
"""Scalars in byte buffers: widths, reading, writing, and buffers larger than memory."""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

from faultlock.errors import LimitReached

# Linux's value on every architecture we run on; the mmap module names it only since 3.13.
MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Place(NamedTuple):
    """The bytes of one scalar."""

    offset: int
    width: int
    signed: bool


def unsigned_width(high: int) -> int:
    """Bytes (1, 2, 4 or 8) that hold 0 .. high."""
    return next(width for width in (1, 2, 4, 8) if high < 1 << 8 * width)


def signed_width(low: int, high: int) -> int:
    """Bytes (1, 2, 4 or 8) that hold low .. high in two's complement."""
    return next(w for w in (1, 2, 4, 8) if -(1 << 8 * w - 1) <= low and high < 1 << 8 * w - 1)


def load(state: Any, place: Place) -> int:
    """The little-endian integer at `place` of a uint8 buffer."""
    end = place.offset + place.width
    return int.from_bytes(bytes(state[place.offset : end]), "little", signed=place.signed)


def store(state: Any, place: Place, value: int) -> None:
    """Write a little-endian integer; OverflowError when it does not fit."""
    view = memoryview(state)
    end = place.offset + place.width
    view[place.offset : end] = int(value).to_bytes(place.width, "little", signed=place.signed)


def sparse_buffer(size: int) -> Any:
    """A zeroed numpy uint8 array; memory is used for the pages that are written only.

    Raises LimitReached when the system does not give that much address space."""
    import numpy

    if size < 1 << 20:
        return numpy.zeros(size, dtype=numpy.uint8)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    try:
        space = mmap.mmap(-1, size, flags=flags)
    except (OSError, OverflowError, ValueError):
        raise LimitReached(
            f"no address space for a state of {size} bytes; lower the counts of the workload"
        ) from None
    return numpy.frombuffer(space, dtype=numpy.uint8)

# SPDX-License-Identifier: GPL-2.0-only
"""Quantities with units: `10ms`, `4KiB`, `200MB/s` to numbers and back.

Times are kept in nanoseconds (int), sizes in bytes (int), rates in bytes per second (int).
"""

from __future__ import annotations

import re
from decimal import Decimal

from faultlock.errors import FaultlockError

PAGE_BYTES = 4096
LONGEST_MODEL_TIME = 2_000_000_000  # ns or us: integers of the model have 31 bits

TIME_UNITS_NS: dict[str, int] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
}
SIZE_UNITS_BYTES: dict[str, int] = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "TB": 1_000_000_000_000,
    "pages": PAGE_BYTES,
    "page": PAGE_BYTES,
}
_QUANTITY = re.compile(r"\s*([+-]?\d{1,30}(?:\.\d{1,30})?)\s*([A-Za-z]*)\s*")
_LARGEST = 1 << 62


def _quantity(text: str, units: dict[str, int], example: str) -> int:
    match = _QUANTITY.fullmatch(text) if len(text) < 100 else None
    if match is None:
        raise FaultlockError(
            f"{text[:60]!r} is not a quantity (write a number and a unit: {example})"
        )
    number, unit = Decimal(match[1]), match[2]
    if unit not in units and not (unit == "" and number == 0):
        missing = f"unknown unit {unit!r}" if unit else "the unit is missing"
        raise FaultlockError(f"{text.strip()!r}: {missing} (units: {', '.join(units)})")
    value = int(number * units.get(unit, 1))
    if abs(value) > _LARGEST:
        raise FaultlockError(
            f"{text.strip()!r} is too large (at most {_LARGEST} in the smallest unit)"
        )
    return value


def parse_time_ns(text: str) -> int:
    """`10ms` -> 10000000. Negative values pass; the caller decides whether they make sense.

    Raises FaultlockError when the text is no number with a unit of time.
    """
    return _quantity(text, TIME_UNITS_NS, "10ms")


def parse_size_bytes(text: str) -> int:
    """`4KiB` -> 4096, `16 pages` -> 65536. Raises FaultlockError on anything else."""
    return _quantity(text, SIZE_UNITS_BYTES, "4KiB")


def parse_rate_bytes_per_s(text: str) -> int:
    """`200MB/s` -> 200000000. Raises FaultlockError on anything else."""
    if not text.strip().endswith("/s"):
        raise FaultlockError(f"{text.strip()!r} is not a rate (write for example 200MB/s)")
    return _quantity(text.strip()[:-2], SIZE_UNITS_BYTES, "200MB/s")


def _number(value: float) -> str:
    """Six significant digits, never in exponent form (which would not be read back)."""
    text = f"{value:.6g}"
    return f"{value:.0f}" if "e+" in text else text


def format_time_ns(value_ns: float) -> str:
    """The shortest of ns, us, ms, s that keeps the number readable: 10000000 -> `10ms`."""
    if value_ns == 0:
        return "0"
    for unit in ("s", "ms", "us"):
        if abs(value_ns) >= TIME_UNITS_NS[unit]:
            return f"{_number(value_ns / TIME_UNITS_NS[unit])}{unit}"
    return f"{_number(value_ns)}ns"


def format_size_bytes(value_bytes: int) -> str:
    """Binary units: 65536 -> `64KiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if abs(value_bytes) >= SIZE_UNITS_BYTES[unit]:
            return f"{_number(value_bytes / SIZE_UNITS_BYTES[unit])}{unit}"
    return f"{value_bytes}B"

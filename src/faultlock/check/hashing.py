# SPDX-License-Identifier: GPL-2.0-only
"""Hash functions of rows (compiled)."""

from __future__ import annotations

import numpy as np

from faultlock.check.compiled import inlined
from faultlock.check.intrinsics import FACTORS
from faultlock.check.kinds import U64, Word

ROW_FACTORS = np.array(FACTORS, np.uint64)


@inlined
def mix(word: Word) -> Word:
    """A 64-bit word with every bit depending on every bit (splitmix64's finaliser)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@inlined
def hash_of(row: U64) -> Word:
    """The hash of a row: multilinear, then mixed."""
    total = np.uint64(0)
    for index in range(len(row)):
        word = row[index]
        total += (word ^ word >> np.uint64(32)) * ROW_FACTORS[index & 255]
    return mix(total)


@inlined
def fingerprint_of(row: U64) -> Word:
    """64 bits for a row: each word by itself through a mixing function of its own."""
    total = np.uint64(0)
    for index in range(len(row)):
        total += mix(row[index] ^ ROW_FACTORS[index & 255])
    return mix(total)

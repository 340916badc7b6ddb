# SPDX-License-Identifier: GPL-2.0-only
"""Values that several commands take, refused before any work is done."""

from __future__ import annotations

import argparse
from pathlib import Path

from faultlock.errors import check_output

MOST_SEED = (1 << 63) - 1


def seed_number(text: str) -> int:
    """`type=` of a --seed option.  Raises argparse.ArgumentTypeError."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 0 to {MOST_SEED}")
    return number


def output_file(text: str) -> Path:
    """`type=` of an option that names a file to write: refused at once when it cannot be.

    Raises FaultlockError."""
    path = Path(text)
    check_output(path)
    return path

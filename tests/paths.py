# SPDX-License-Identifier: GPL-2.0-only
"""Where tests find things: the repository, its test data, and shared facts beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "faultlock"
DATA = REPOSITORY / "tests" / "data"


def shared(relative: str) -> Path:
    """A file of the shared facts (measurements, kernels, traces); the test is skipped by
    name when it is not there.  FAULTLOCK_SHARED, else `shared` beside the repository."""
    top = Path(os.environ.get("FAULTLOCK_SHARED") or REPOSITORY.parent / "shared")
    path = top / relative
    if not path.exists():
        pytest.skip(f"shared/{relative} is not here (set FAULTLOCK_SHARED)")
    return path

# SPDX-License-Identifier: GPL-2.0-only
"""Where the engine's machine code is kept: a folder for each state of the engine's source.

numba looks only at the file of a function, not at those of the functions it calls; a folder
named after a digest of all of them makes stale code impossible.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numba

from faultlock.lang.cache import cache_folder

ENGINE_FILES = (
    "arrays", "choices", "device", "engine", "handle", "placement", "randoms", "records",
    "scheduler", "thread_steps", "timers",
)  # fmt: skip


def engine_digest() -> str:
    """Digest of the engine's source files and of numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for name in ENGINE_FILES:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def set_code_folder() -> None:
    """Let numba keep what it compiles in the cache folder, if that can be written."""
    folder = cache_folder() / f"engine-{engine_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


set_code_folder()

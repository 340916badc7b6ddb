# SPDX-License-Identifier: GPL-2.0-only
"""Compiled programs on disk, keyed by everything that goes into them.

The key covers the text of all model files, the parameters, and the compiler's own source, so
an entry is never stale.  The folder is the user's own (as with numba's cache): entries are
pickles that only this package writes.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path

from faultlock.errors import FaultlockError, atomic_write
from faultlock.lang.program import Program

MAX_ENTRIES = 4000


def cache_folder() -> Path:
    """FAULTLOCK_CACHE, else XDG_CACHE_HOME/faultlock, else ~/.cache/faultlock."""
    named = os.environ.get("FAULTLOCK_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultlock"


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: it looks at all of a growing program again and
    again, and took half of the time of compiling and most of that of loading one."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@functools.cache
def compiler_digest() -> str:
    """Digest of the compiler's own source files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def digest_of(texts: Iterable[str]) -> str:
    """Digest of these texts, in order, and of the compiler."""
    digest = hashlib.sha256(compiler_digest().encode())
    for text in texts:
        digest.update(str(len(text)).encode() + b"\0" + text.encode("utf-8"))
    return digest.hexdigest()[:40]


def load_program(digest: str) -> Program | None:
    """The program kept under this digest, None when there is none or it cannot be read."""
    path = cache_folder() / f"{digest}.program"
    try:
        with open(path, "rb") as stream, without_collector():
            program = pickle.load(stream)
    except Exception:  # a damaged entry is as good as none
        return None
    return program if isinstance(program, Program) and program.digest == digest else None


def save_program(program: Program) -> None:
    """Keep a program; a cache that cannot be written is no error."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
        with atomic_write(folder / f"{program.digest}.program", "wb") as stream:
            pickle.dump(program, stream, protocol=pickle.HIGHEST_PROTOCOL)
    except (OSError, FaultlockError, RecursionError):
        return


def _make_room(folder: Path) -> None:
    """Drop the oldest half when the folder has grown too large."""
    entries = [item for item in os.scandir(folder) if item.is_file()]
    if len(entries) <= MAX_ENTRIES:
        return
    entries.sort(key=lambda item: item.stat().st_mtime)
    for item in entries[: MAX_ENTRIES // 2]:
        Path(item.path).unlink(missing_ok=True)

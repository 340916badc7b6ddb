# SPDX-License-Identifier: GPL-2.0-only
"""Compiles our C programs on demand, static, cached by their content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faultlock.errors import EnvironmentMissing

CFLAGS = ("-O2", "-g0", "-std=gnu11", "-Wall", "-Wno-unused-function", "-static", "-pthread")
COMPILE_LIMIT_S = 120
_INCLUDE = re.compile(rb'^#include "([\w./-]{1,200})"', re.MULTILINE)


def cache_folder() -> Path:
    """FAULTLOCK_CACHE, else XDG_CACHE_HOME/faultlock, else ~/.cache/faultlock; made if missing."""
    given = os.environ.get("FAULTLOCK_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(given) if given else base / "faultlock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentMissing(
            f"{folder}: cannot be created: {error.strerror} (set FAULTLOCK_CACHE to a folder)"
        ) from None
    return folder


def find_compiler() -> str:
    """Path of the C compiler: $CC, cc or gcc. Raises EnvironmentMissing."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise EnvironmentMissing(
        "no C compiler: the driver cannot be built (install gcc and the static C library, "
        "Debian: apt-get install gcc libc6-dev)"
    )


def content_of(source: Path) -> bytes:
    """The text of a C file and of every header it includes by a quoted name, directly or not."""
    texts: dict[Path, bytes] = {}
    waiting = [source.resolve()]
    while waiting:
        path = waiting.pop()
        if path in texts or not path.is_file():
            continue
        texts[path] = path.read_bytes()
        waiting += [
            (path.parent / name.decode()).resolve() for name in _INCLUDE.findall(texts[path])
        ]
    return b"".join(texts[path] for path in sorted(texts))


def build(source: Path, extra_flags: Sequence[str] = ()) -> Path:
    """The static program compiled from one C file; compiled once per content, flags and compiler.

    Raises EnvironmentMissing (with the compiler's first error) when it cannot be compiled.
    """
    compiler = find_compiler()
    text = content_of(source)
    key = hashlib.sha256(repr((text, compiler, CFLAGS, tuple(extra_flags))).encode()).hexdigest()
    folder = cache_folder() / "programs"
    folder.mkdir(exist_ok=True)
    target = folder / f"{source.stem}-{key[:16]}"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="faultlock-cc-", dir=folder) as scratch:
        output = Path(scratch) / "program"
        command = [compiler, *CFLAGS, *extra_flags, "-o", str(output), str(source)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=COMPILE_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentMissing(
                f"{source.name}: the compiler did not end in {COMPILE_LIMIT_S} s"
            ) from None
        if done.returncode:
            lines = [
                line
                for line in done.stderr.splitlines()
                if "error" in line or "cannot find" in line
            ]
            first = (lines or done.stderr.splitlines() or ["no message"])[0]
            raise EnvironmentMissing(f"{source.name}: {compiler} failed: {first.strip()[:300]}")
        output.chmod(0o755)
        os.replace(output, target)
    return target

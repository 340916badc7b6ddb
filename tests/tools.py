# SPDX-License-Identifier: GPL-2.0-only
"""Optional tools in tests: missing means skipped by name, except in CI, where it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEBIAN_PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "spin": "spin",
    "cc": "gcc",
    "gcc": "gcc",
    "tcc": "tcc",
    "chromium": "chromium",
    "make": "make",
    "git": "git",
    "cpio": "cpio",
}


def require_tool(name: str) -> str:
    """The tool's path.  Missing: skip, or fail when FAULTLOCK_REQUIRE_TOOLS=1 (CI)."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"{name} is not installed (Debian package {DEBIAN_PACKAGES.get(name, name)})"
    if os.environ.get("FAULTLOCK_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def faultlock(
    *words: str | Path,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
    timeout_s: float = 120,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; stdout and stderr are captured text."""
    return subprocess.run(
        [sys.executable, "-m", "faultlock", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )

# SPDX-License-Identifier: GPL-2.0-only
"""The version and the commit that this installation was made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

__version__ = "0.1.0"

_PACKAGE = Path(__file__).resolve().parent


def commit() -> str:
    """The commit of the source: 12 hex digits, `+` after it when files were changed.

    A checkout asks git; an installed package reads the file that its build wrote
    (setup.py).  "unknown" when neither is there.
    """
    built = _PACKAGE / "commit.txt"
    if built.is_file():
        return built.read_text(encoding="utf-8").strip()
    top = _PACKAGE.parent.parent
    if not (top / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "-C", str(top), "describe", "--always", "--abbrev=12", "--dirty=+",
             "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()


def version_line() -> str:
    """`faultlock 0.1.0 (commit 0123456789ab)`: names the exact source in reports."""
    return f"faultlock {__version__} (commit {commit()})"

# SPDX-License-Identifier: GPL-2.0-only
"""Temporary folders that a later run finds and removes when theirs was killed (SIGKILL).

The folder is locked (flock) while its run lives, so neither a process id that was used again nor
another process-id namespace can make a folder in use look left behind.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KINDS = ("fuse", "qemu", "reproduce")
# Between the making of a folder and its lock it looks left behind.
YOUNGEST_S = 60.0
UNMOUNT_LIMIT_S = 10.0


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A new temporary folder, locked and in the end removed. kind: one of KINDS."""
    assert kind in KINDS
    with tempfile.TemporaryDirectory(prefix=f"faultlock-{kind}-") as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(descriptor)


def mount_points(below: Path) -> list[Path]:
    """What is mounted on `below` or in it, innermost first.

    Read from mountinfo: a stat of a file system whose server died fails, and one whose server
    hangs does not return.
    """
    found = []
    for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
        place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split()[4])
        if Path(place) == below or below in Path(place).parents:
            found.append(Path(place))
    return sorted(found, key=lambda place: len(place.parts), reverse=True)


def unmount(place: Path) -> None:
    """Takes a file system off `place`, also one whose server is dead; no error when it cannot."""
    command = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [*command, str(place)], capture_output=True, check=False, timeout=UNMOUNT_LIMIT_S
        )


def stale_folders(top: Path | None = None, youngest_s: float = YOUNGEST_S) -> list[Path]:
    """Our own folders in `top` (default: where temporary files go) whose run no longer lives."""
    top = Path(tempfile.gettempdir()) if top is None else top
    names = [entry for kind in KINDS for entry in top.glob(f"faultlock-{kind}-*")]
    return sorted(folder for folder in names if _is_stale(folder, youngest_s))


def _is_stale(folder: Path, youngest_s: float) -> bool:
    """Ours, no link, older than youngest_s, and nobody has it locked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < youngest_s:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def remove_stale(top: Path | None = None, youngest_s: float = YOUNGEST_S) -> list[Path]:
    """Unmounts and removes what stale_folders finds; returns those that are gone now."""
    removed = []
    for folder in stale_folders(top, youngest_s):
        for place in mount_points(folder.resolve()):
            unmount(place)
        if mount_points(folder.resolve()):
            continue  # removing would go into a file system that is still there
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            removed.append(folder)
    return removed

# SPDX-License-Identifier: GPL-2.0-only
"""A cpio archive (format newc) that the kernel unpacks as its first root file system."""

from __future__ import annotations

import stat
from collections.abc import Mapping

CONSOLE_DEVICE = (5, 1)


def _entry(
    number: int, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)
) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (
        number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0,
    )  # fmt: skip
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def initramfs(files: Mapping[str, bytes]) -> bytes:
    """An archive with /dev/console and `files` (path without leading slash -> content, executable).

    Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
    Times and owners are 0, so equal files give equal bytes.
    """
    folders = {"dev"}
    for name in files:
        parts = name.split("/")[:-1]
        folders |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    entries = [(name, stat.S_IFDIR | 0o755, b"", (0, 0)) for name in sorted(folders)]
    entries.append(("dev/console", stat.S_IFCHR | 0o600, b"", CONSOLE_DEVICE))
    entries += [(name, stat.S_IFREG | 0o755, files[name], (0, 0)) for name in sorted(files)]
    archive = b"".join(
        _entry(number, name, mode, data, device)
        for number, (name, mode, data, device) in enumerate(entries, start=1)
    )
    return archive + _entry(0, "TRAILER!!!", 0)

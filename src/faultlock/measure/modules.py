# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of a distribution: null_blk, configfs and FUSE are modules beside the image.

They go into the initramfs with a small init that loads them and becomes the real program. A kernel
with everything built in gets no modules and starts the program at once.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import IO, cast

from faultlock.errors import EnvironmentMissing, FaultlockError
from faultlock.measure.compiler import build
from faultlock.measure.initramfs import initramfs

LOADER = Path(__file__).parent / "loader" / "load_modules.c"
# In the order of their dependencies; null_blk needs configfs.
WANTED = {
    "configfs": "kernel/fs/configfs/configfs.ko",
    "null_blk": "kernel/drivers/block/null_blk/null_blk.ko",
    "fuse": "kernel/fs/fuse/fuse.ko",
}
MAX_MODULE_BYTES = 64 << 20
# Documentation/arch/x86/boot.rst: kernel_version is an offset from 0x200 to a text.
VERSION_FIELD, VERSION_BASE, MAX_VERSION = 0x20E, 0x200, 256


def release_of(kernel: Path) -> str:
    """The release a bzImage says of itself ("6.1.0-53-amd64"), "" when it says none."""
    with kernel.open("rb") as stream:
        head = stream.read(VERSION_FIELD + 2)
        if len(head) < VERSION_FIELD + 2:
            return ""
        stream.seek(VERSION_BASE + struct.unpack_from("<H", head, VERSION_FIELD)[0])
        text = stream.read(MAX_VERSION).split(b"\0")[0].decode("ascii", "replace")
    release = text.split(" ")[0]
    return release if release.isprintable() and "/" not in release else ""


def module_folders(kernel: Path, release: str) -> list[Path]:
    """Where the modules of a kernel image may be: beside its /boot, or installed here."""
    tops = [kernel.resolve().parent.parent, Path("/")]
    return [top / place / release for top in tops for place in ("lib/modules", "usr/lib/modules")]


def _content(path: Path) -> bytes:
    """A module, uncompressed. Raises FaultlockError."""
    try:
        if path.suffix == ".zst":
            data = _unpacked_by_zstd(path)
        else:
            with _opened(path) as stream:
                data = stream.read(MAX_MODULE_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise FaultlockError(f"{path}: cannot be read: {str(error)[:200]}") from None
    if len(data) > MAX_MODULE_BYTES:
        raise FaultlockError(f"{path}: more than {MAX_MODULE_BYTES >> 20} MiB: no kernel module")
    return data


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _unpacked_by_zstd(path: Path) -> bytes:
    if shutil.which("zstd") is None:
        raise EnvironmentMissing(f"{path}: needs zstd to be unpacked (Debian: zstd)")
    command = ["zstd", "-dcq", f"--memory={MAX_MODULE_BYTES >> 20}MB", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise FaultlockError(f"{path}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def modules_of(kernel: Path) -> dict[str, bytes]:
    """The modules that a guest needs, by name, as far as they are beside the image."""
    release = release_of(kernel)
    if not release:
        return {}
    folder = next((path for path in module_folders(kernel, release) if path.is_dir()), None)
    if folder is None:
        return {}
    found = {}
    for name, place in WANTED.items():
        for suffix in ("", ".xz", ".gz", ".zst"):
            path = folder / (place + suffix)
            if path.is_file():
                found[name] = _content(path)
                break
    return found


def boot_archive(kernel: Path, files: dict[str, bytes]) -> bytes:
    """The initramfs for `kernel` with `files`, "init" among them, and the modules it needs."""
    modules = modules_of(kernel)
    if not modules:
        return initramfs(files)
    rest = {name: data for name, data in files.items() if name != "init"}
    for number, (name, data) in enumerate(modules.items()):
        rest[f"modules/{number}"] = data
        rest[f"modules/{number}.name"] = name.encode()
    return initramfs({**rest, "init": build(LOADER).read_bytes(), "program": files["init"]})


def missing_modules(kernel: Path, error: str) -> str:
    """What to add to a guest's error about null_blk or FUSE: where their modules belong."""
    release = release_of(kernel)
    if not release or not any(word in error for word in ("null_blk", "nullb0", "FUSE")):
        return ""
    if any(folder.is_dir() for folder in module_folders(kernel, release)):
        return ""
    beside = module_folders(kernel, release)[0]
    return f" (a distribution has them as modules: put those of {release} into {beside})"

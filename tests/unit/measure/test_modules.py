# SPDX-License-Identifier: GPL-2.0-only
"""Modules of a distribution's kernel are found beside its image and packed for the guest."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest

from faultlock.errors import FaultlockError
from faultlock.measure.initramfs import initramfs
from faultlock.measure.modules import (
    WANTED,
    boot_archive,
    missing_modules,
    modules_of,
    release_of,
)  # fmt: skip
from tests.tools import require_tool

RELEASE = "6.99.0-test-amd64"


def image(folder: Path, release: str = RELEASE) -> Path:
    """A file with the header of a bzImage as far as the release goes."""
    boot = folder / "boot"
    boot.mkdir(parents=True)
    text = b"\0" * 0x20E + struct.pack("<H", 0x100) + b"\0" * 0xF0
    (boot / "vmlinuz").write_bytes(text + f"{release} (someone) #1 SMP".encode() + b"\0" * 300)
    return boot / "vmlinuz"


def module(folder: Path, name: str, suffix: str, data: bytes) -> None:
    path = folder / "lib/modules" / RELEASE / (WANTED[name] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_modules_beside_the_image_are_unpacked(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    assert release_of(kernel) == RELEASE
    assert modules_of(kernel) == {}
    module(tmp_path, "null_blk", ".xz", lzma.compress(b"null"))
    module(tmp_path, "configfs", ".gz", gzip.compress(b"config"))
    module(tmp_path, "fuse", "", b"fuse")
    found = modules_of(kernel)
    assert list(found) == ["configfs", "null_blk", "fuse"], "in the order of their dependencies"
    assert found == {"configfs": b"config", "null_blk": b"null", "fuse": b"fuse"}


def test_a_kernel_without_modules_starts_its_program_at_once(tmp_path: Path) -> None:
    assert boot_archive(image(tmp_path), {"init": b"x"}) == initramfs({"init": b"x"})


def test_with_modules_a_loader_is_init(tmp_path: Path) -> None:
    require_tool("cc")
    kernel = image(tmp_path)
    module(tmp_path, "null_blk", "", b"a module of the test")
    archive = boot_archive(kernel, {"init": b"the driver itself", "workload.0": b"words"})
    for name in (b"program\0", b"modules/0\0", b"modules/0.name\0", b"init\0", b"workload.0\0"):
        assert name in archive
    assert b"the driver itself" in archive and b"a module of the test" in archive


@pytest.mark.parametrize("suffix", [".xz", ".gz"])
def test_a_broken_module_is_named(tmp_path: Path, suffix: str) -> None:
    kernel = image(tmp_path)
    module(tmp_path, "null_blk", suffix, b"no archive")
    with pytest.raises(FaultlockError, match=r"null_blk\.ko.*cannot be read"):
        modules_of(kernel)


def test_the_error_says_where_modules_belong(tmp_path: Path) -> None:
    kernel = image(tmp_path)
    said = missing_modules(kernel, "this kernel has no null_blk")
    assert str(tmp_path / "lib/modules" / RELEASE) in said
    assert missing_modules(kernel, "out of memory") == ""
    module(tmp_path, "fuse", "", b"fuse")
    assert missing_modules(kernel, "this kernel has no null_blk") == ""


@pytest.mark.parametrize("data", [b"", b"x" * 0x210, b"\0" * 0x20E + b"\xff\xff"])
def test_a_file_without_a_release_has_no_modules(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(data)
    assert release_of(path) == "" and modules_of(path) == {}


def test_a_release_is_no_path(tmp_path: Path) -> None:
    assert release_of(image(tmp_path, "../../etc")) == ""

# SPDX-License-Identifier: GPL-2.0-only
"""What a killed run leaves behind is found, and only that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faultlock.measure.scratch import mount_points, remove_stale, scratch_folder, stale_folders
from tests.tools import faultlock


def test_a_folder_in_use_is_not_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder("fuse") as folder:
        assert folder.parent == tmp_path
        assert remove_stale(youngest_s=0) == [] and folder.is_dir()
    assert not folder.exists()


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from faultlock.measure.scratch import scratch_folder
from tests.tools import faultlock
with scratch_folder("fuse") as folder:
    (folder / "files").mkdir()
    (folder / "files" / "x").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert stale_folders(tmp_path) == [], "it may be one that is just being made"
    assert stale_folders(tmp_path, youngest_s=0) == [left]
    assert remove_stale(tmp_path, youngest_s=0) == [left]
    assert not left.exists()


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "inside").mkdir(parents=True)
    (tmp_path / "faultlock-fuse-link").symlink_to(kept)
    (tmp_path / "faultlock-console-1").mkdir()
    (tmp_path / "faultlock-fuse-file").write_text("no folder")
    assert remove_stale(tmp_path, youngest_s=0) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "faultlock-console-1", "faultlock-fuse-file", "faultlock-fuse-link", "kept",
    ]  # fmt: skip
    assert (kept / "inside").is_dir()


def test_mount_points_are_read_from_the_kernel() -> None:
    assert Path("/proc") in mount_points(Path("/proc"))
    assert mount_points(Path("/proc/self/no-such")) == []


def test_doctor_names_it(tmp_path: Path) -> None:
    left = tmp_path / "faultlock-fuse-x"
    left.mkdir()
    os.utime(left, (1, 1))
    done = faultlock("doctor", environment={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "left behind" in line)
    assert str(left) in line and "the next measure, probe or reproduce removes it" in line

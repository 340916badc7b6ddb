# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel, with slow files on a FUSE file system of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faultlock.measure.measurement import read_measurement
from faultlock.measure.on_host import run_on_host, slow_files
from faultlock.measure.scratch import remove_stale
from faultlock.workload import loads
from tests.tools import faultlock, require_tool

TEXT = """
duration = "300ms"
[device]
latency = "5ms"
queue_depth = 2
[[files]]
name = "slow"
size = "4GiB"
[[mappings]]
name = "m"
file = "slow"
count = 4
advice = "random"
[[threads]]
op = "touch"
count = 4
[[threads]]
op = "fork"
think = "10ms"
"""


@pytest.fixture(autouse=True)
def fuse_is_here() -> None:
    require_tool("cc")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse is missing or closed")
    if os.geteuid() and shutil.which("fusermount3") is None:
        pytest.skip("neither root nor fusermount3 (Debian package fuse3)")


def mounts() -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if "faultlock-" in line]


def test_faults_take_the_latency_and_the_queue_is_as_deep_as_asked() -> None:
    before = mounts()
    run = run_on_host(loads(TEXT, "test")).runs[0]
    assert run.actors["fault"]["p10_us"] > 4900, "a read takes the latency or more"
    # Four threads, two places of 5 ms each: at most 400 reads per second.
    assert run.actors["fault"]["rate_hz"] < 420
    assert run.actors["fork"]["n"] > 0 and run.hanging_threads == 0
    assert mounts() == before


def test_an_error_unmounts() -> None:
    before = mounts()
    with pytest.raises(RuntimeError, match="stop"), slow_files(loads(TEXT, "test")) as slow:
        folder = slow.folder
        assert (folder / "slow").stat().st_size == 4 << 30
        assert len(mounts()) == len(before) + 1
        raise RuntimeError("stop")
    assert mounts() == before and not folder.exists()


def test_a_killed_command_unmounts(tmp_path: Path) -> None:
    before = mounts()
    path = tmp_path / "w.toml"
    path.write_text(TEXT.replace("300ms", "60s"))
    process = subprocess.Popen(
        [sys.executable, "-m", "faultlock", "measure", "--host", "-w", path],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # its folder is left: not in everybody's /tmp
    )
    try:
        for _ in range(200):
            if len(mounts()) > len(before):
                break
            time.sleep(0.05)
        assert len(mounts()) == len(before) + 1
    finally:
        process.kill()
        process.wait()
    for _ in range(200):
        if mounts() == before:
            break
        time.sleep(0.05)
    assert mounts() == before


def test_measure_command_on_the_host(tmp_path: Path) -> None:
    path, target = tmp_path / "w.toml", tmp_path / "m.json"
    path.write_text(TEXT)
    done = faultlock("measure", "--host", "-w", path, "-o", target, "--runs", "2")
    assert done.returncode == 0, done.stderr
    assert "host #2" in done.stdout and "between runs" in done.stdout
    document = read_measurement(target)
    assert [scenario["name"] for scenario in document["scenarios"]] == ["w", "w"]
    assert all(scenario["server_cpu_ns"] > 0 for scenario in document["scenarios"])
    assert document["clock"] == "host" and document["device"]["kind"] == "fuse"
    assert "fork" in done.stdout and not mounts()


def test_a_dead_file_system_is_found_and_removed(tmp_path: Path) -> None:
    """SIGKILL of the command and of the server at once: nobody could unmount."""
    before = mounts()
    (tmp_path / "tmp").mkdir()
    path = tmp_path / "w.toml"
    path.write_text(TEXT)
    code = f"""
import os, signal
from pathlib import Path
from faultlock.measure import on_host
from faultlock.workload import load
with on_host.slow_files(load({str(path)!r})):
    for child in Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)
    assert done.returncode == -9
    (left,) = (tmp_path / "tmp").iterdir()
    assert len(mounts()) == len(before) + 1
    assert remove_stale(tmp_path / "tmp", youngest_s=0) == [left]
    assert mounts() == before and not left.exists()

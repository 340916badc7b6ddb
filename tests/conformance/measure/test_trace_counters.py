# SPDX-License-Identifier: GPL-2.0-only
"""Kernel events counted through tracefs while a workload runs on the host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faultlock.measure import trace_counters as tc
from faultlock.measure.on_host import run_on_host
from faultlock.workload import loads
from tests.conformance.measure.test_host import TEXT
from tests.tools import require_tool


@pytest.fixture
def instances() -> Path:
    require_tool("cc")
    top = next((place for place in tc.PLACES if (place / "instances").is_dir()), None)
    if os.geteuid() or top is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("needs root, tracefs and /dev/fuse")
    if not (top / "events" / "mmap_lock").is_dir():
        pytest.skip("the kernel has no mmap_lock events")
    return top / "instances"


def left(instances: Path) -> list[str]:
    return [path.name for path in instances.glob(f"{tc.PREFIX}*")]


def test_events_are_those_of_the_workload(instances: Path) -> None:
    run = run_on_host(loads(TEXT, "test")).runs[0]
    forks, faults = run.actors["fork"]["n"], run.actors["fault"]["n"]
    assert 0 < forks <= run.tracefs["mmap_lock_acquired_write"], "each fork takes it for writing"
    # A dropped lock is taken again: a miss calls filemap_fault once or twice.
    assert faults * 0.5 < run.tracefs["mm_filemap_fault"] < faults * 3 + 20
    assert run.tracefs["page_fault_user"] > forks
    assert left(instances) == []


def test_they_can_be_left_out(instances: Path) -> None:
    assert run_on_host(loads(TEXT, "test"), count_events=False).runs[0].tracefs == {}
    assert left(instances) == []


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_instances_are_removed(instances: Path, tmp_path: Path, way: signal.Signals) -> None:
    path = tmp_path / "w.toml"
    path.write_text(TEXT.replace("300ms", "60s"))
    command = [sys.executable, "-m", "faultlock", "measure", "--host", "-w", str(path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        for _ in range(1200):
            if len(left(instances)) == len(tc.COUNTERS):
                break
            time.sleep(0.05)
        assert left(instances)
        process.send_signal(way)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    if way is signal.SIGKILL:  # nothing can be done in the killed one: the next run does it
        assert left(instances)
        with tc.trace_counters():
            pass
    assert left(instances) == []


def test_nothing_is_counted_without_tracefs(tmp_path: Path) -> None:
    with tc.trace_counters((tmp_path / "absent",)) as counters:
        assert counters.values() == {} and counters.environment() == {}


def test_an_event_that_the_kernel_lacks_is_left_out(
    instances: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tc.COUNTERS["page_fault_user"]
    monkeypatch.setattr(tc, "COUNTERS", {"absent": ("mmap_lock/absent", ""), "known": known})
    with tc.trace_counters() as counters:
        assert list(counters.values()) == ["known"] and len(left(instances)) == 1
    assert left(instances) == []


def test_stats_of_all_cpus_are_added(tmp_path: Path) -> None:
    for cpu, text in enumerate(["entries: 3\noverrun: 2\n", "entries: 1\ndropped events: 40\n"]):
        folder = tmp_path / "per_cpu" / f"cpu{cpu}"
        folder.mkdir(parents=True)
        (folder / "stats").write_text(text + "commit overrun: 9\nbytes: 500\n")
    assert tc.events_in(tmp_path) == 46

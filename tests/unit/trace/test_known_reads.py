# SPDX-License-Identifier: GPL-2.0-only
"""How long reads took, as who needed their pages tells; what is read twice; tracing's cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from faultlock.sim.replay import Replayed, simulate_replay
from faultlock.trace.address_space import PAGE
from faultlock.trace.recording import Recording
from faultlock.trace.replay import plan_replay
from faultlock.trace.replay_plan import KINDS, ReplayPlan
from faultlock.workload.distribution import constant
from faultlock.workload.schema import Device
from tests.unit.trace.trace_script import Script

US = 1000
DEVICE = Device(kind="recorded", latency=constant(100_000), queue_depth=8)
MMAP = "sys_mmap(addr: 0, len: {:#x}, prot: 1, flags: 2, fd: {}, off: 0)"
START = 0x700000


def operations(recording: Recording, kind: str) -> list[dict[str, Any]]:
    return recording.operations.filter(pl.col("kind") == kind).to_dicts()


def replay(script: Script, tmp_path: Path) -> tuple[ReplayPlan, Replayed]:
    plan = plan_replay(script.trace(tmp_path), "script")
    return plan, simulate_replay(plan, "drop-retry", DEVICE, cost_factor=0.3)


def mapped(pages: int = 1024) -> Script:
    script = Script()
    script.call(0, MMAP.format(pages * PAGE, 3), 5, START)
    return script


def miss(script: Script, at_us: int, index: int, pages: range, wait_us: int, tid: int = 41) -> None:
    """A fault on page `index` that reads `pages` and sleeps."""
    script.fault(at_us, START + index * PAGE, 4, tid)
    script.file(at_us + 1, "mm_filemap_fault", f"ofs={index * PAGE}", tid)
    text = f"index={pages[0]} order=0 size={len(pages)} async_size=0 ra_pages=1024"
    script.file(at_us + 2, "page_cache_ra_order", text, tid)
    for page in pages:
        text = f"mm_filemap_add_to_page_cache: dev 254:0 ino ff pfn=0x1 ofs={page * PAGE} order=0"
        script.event(at_us + 3, text, tid)
    if wait_us:
        script.switch(at_us + 5, tid, "D", 0)
        script.switch(at_us + 5 + wait_us, 0, "R", tid)


def wait(script: Script, at_us: int, index: int, wait_us: int, tid: int = 41) -> None:
    """A fault on a page that is being read."""
    script.fault(at_us, START + index * PAGE, 4, tid)
    script.file(at_us + 1, "mm_filemap_fault", f"ofs={index * PAGE}", tid)
    script.switch(at_us + 5, tid, "D", 0)
    script.switch(at_us + 5 + wait_us, 0, "R", tid)


def read_times(plan: ReplayPlan) -> list[list[tuple[int, int]]]:
    return [plan.known_times[number - 1] for number in plan.operations["reads"] if number]


def test_each_request_takes_until_its_page_was_there(tmp_path: Path) -> None:
    script = mapped()
    miss(script, 100, 5, range(0, 1024), 500)  # until 605
    wait(script, 700, 300, 295)  # until 1000, of the second request
    script.fault(1200, START + 600 * PAGE, 4)  # the third one is there
    script.file(1201, "mm_filemap_map_pages", f"ofs={592 * PAGE}-{608 * PAGE - 1}")
    script.fault(1300, 0x900000, 6)
    plan, replayed = replay(script, tmp_path)
    ((first, second, third),) = read_times(plan)
    assert first == (255, 500 * US)
    assert second == (511, (1000 - 103) * US)
    assert third[0] == 767 and third[1] <= (1201 - 103) * US
    assert replayed.figures["filemap_faults"] == 2
    assert abs(replayed.figures["blocked_s"] - 795e-6) < 120e-6


def test_a_miss_that_did_not_sleep_was_read_at_once(tmp_path: Path) -> None:
    script = mapped()
    miss(script, 100, 0, range(0, 64), 0)
    script.fault(300, 0x900000, 6)
    script.switch(400, 41, "S", 0)
    plan, replayed = replay(script, tmp_path)
    assert read_times(plan) == [[(63, 1)]]
    assert replayed.figures["major_faults"] == 1
    assert replayed.figures["blocked_s"] < 20e-6


def test_waiting_for_a_cpu_is_not_waiting_for_the_page(tmp_path: Path) -> None:
    """Another thread has the page at 300; this one gets a CPU at 1000."""
    script = mapped()
    miss(script, 100, 5, range(0, 16), 0)
    script.switch(105, 41, "D", 42)
    script.fault(300, START + 6 * PAGE, 4, tid=42)
    script.file(301, "mm_filemap_fault", f"ofs={6 * PAGE}", 42)
    script.fault(400, 0x900000, 6, tid=42)
    script.switch(1000, 42, "S", 41)
    script.fault(1100, 0x901000, 6)
    (fault,) = [f for f in operations(script.recording(tmp_path), "fault") if f["missed"]]
    assert fault["blocked_ns"] + fault["preempted_ns"] == 895 * US
    assert fault["preempted_ns"] == (1000 - 301) * US


def test_a_sleep_after_the_last_attempt_is_not_the_faults(tmp_path: Path) -> None:
    script = mapped()
    miss(script, 100, 5, range(0, 16), 500)
    script.lock(606, "start_locking", False)
    script.lock(607, "acquire_returned", False)
    script.file(608, "mm_filemap_map_pages", f"ofs=0-{16 * PAGE - 1}")
    script.lock(609, "released", False)
    script.switch(640, 41, "D", 0)
    script.switch(5640, 0, "R", 41)
    recording = script.recording(tmp_path)
    assert operations(recording, "fault")[0]["blocked_ns"] == 500 * US
    assert operations(recording, "sleep")[0]["state"] == "D"


def test_a_drop_on_the_first_attempt_is_a_wait_of_the_fault(tmp_path: Path) -> None:
    script = mapped()
    script.fault(100, START, 4)
    script.lock(101, "start_locking", False)
    script.lock(102, "acquire_returned", False)
    script.file(103, "mm_filemap_fault", "ofs=0")
    script.lock(104, "released", False)
    script.switch(110, 41, "D", 0)
    script.switch(610, 0, "R", 41)
    assert operations(script.recording(tmp_path), "fault")[0]["blocked_ns"] == 500 * US


def test_what_is_read_a_second_time_was_dropped_before(tmp_path: Path) -> None:
    script = mapped()
    miss(script, 100, 5, range(0, 16), 200)
    miss(script, 1000, 8, range(8, 12), 200)
    script.fault(2000, 0x900000, 6)
    plan, replayed = replay(script, tmp_path)
    drop = plan.operations["kind"].tolist().index(KINDS["drop"])
    assert (plan.operations["pgoff"][drop], plan.operations["pages"][drop]) == (8, 4)
    assert plan.recorded["major_faults"] == replayed.figures["major_faults"] == 2
    assert plan.recorded["pages_read"] == 20
    assert replayed.figures["pages_read"] >= 20


def test_a_window_that_nobody_asked_for_is_readahead(tmp_path: Path) -> None:
    script = Script()
    script.file(10, "page_cache_ra_unbounded", "index=0 nr_to_read=32 lookahead_size=0")
    for page in range(32):
        text = f"mm_filemap_add_to_page_cache: dev 254:0 ino ff pfn=0x1 ofs={page * PAGE} order=0"
        script.event(11, text)
    script.call(100, MMAP.format(32 * PAGE, 3), 105, START)
    script.fault(1100, START + 20 * PAGE, 4)
    script.file(1101, "mm_filemap_map_pages", f"ofs={16 * PAGE}-{32 * PAGE - 1}")
    plan, replayed = replay(script, tmp_path)
    (forced,) = [n for n, kind in enumerate(plan.operations["kind"]) if kind == KINDS["readahead"]]
    assert plan.operations["pages"][forced] == 32
    assert replayed.figures["pages_read"] == 32
    assert replayed.figures["major_faults"] == 0


def test_computing_in_what_looks_like_one_read_is_kept(tmp_path: Path) -> None:
    """Blocks of the file system: two reads of them, 10 ms of computing in between."""
    script = Script()
    script.file(0, "mm_filemap_fault", "ofs=0")  # a file of device 254:0 makes its inode known
    script.fault(50, 0x900000, 6)
    for at_us in (100, 10_300):
        ino = f"{254 << 20:x}"
        text = f"mm_filemap_add_to_page_cache: dev 0:3 ino {ino} pfn=0x1 ofs=0 order=0"
        script.event(at_us, text)
        script.switch(at_us + 10, 41, "D", 0)
        script.switch(at_us + 200, 0, "R", 41)
    script.fault(10_600, 0x900000, 6)
    reads = operations(script.recording(tmp_path), "read")
    assert [read["blocked_ns"] for read in reads] == [190 * US, 190 * US]
    assert reads[1]["compute_ns"] == 10_000 * US


def test_the_cost_of_an_event_is_that_of_taking_a_free_lock(tmp_path: Path) -> None:
    script = Script()
    for at_us in range(0, 1000, 10):
        script.lock(at_us, "start_locking", False)
        script.lock(at_us + 1 + at_us % 20 // 10, "acquire_returned", False)
        script.lock(at_us + 5, "released", False)
    assert script.recording(tmp_path).event_cost_ns == 1500


def test_long_computing_is_cut_into_parts(tmp_path: Path) -> None:
    """The model's integers have 31 bits."""
    script = Script()
    script.fault(0, 0x900000, 6)
    script.fault(7_000_000, 0x901000, 6)
    plan, replayed = replay(script, tmp_path)
    assert int(plan.operations["compute_ns"].max()) < 1 << 31
    assert abs(replayed.figures["elapsed_s"] - 7.0) < 0.01

# SPDX-License-Identifier: GPL-2.0-only
"""Small written recordings, replayed in the simulator: what must come out of each mechanism."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.errors import LimitReached
from faultlock.sim.cost import load_costs
from faultlock.sim.replay import Replayed, simulate_replay
from faultlock.sim.replay_state import ANONYMOUS_FAULT_COSTS
from faultlock.trace import compact_addresses, residency
from faultlock.trace.compact_addresses import TABLE, CompactAddresses
from faultlock.trace.importer import import_text
from faultlock.trace.replay import plan_replay
from faultlock.trace.replay_plan import KINDS, ReplayPlan
from faultlock.workload.distribution import constant
from faultlock.workload.schema import Device
from tests.unit.trace.trace_script import Script

DEVICE = Device(kind="test", latency=constant(100_000), queue_depth=8)
MMAP = "sys_mmap(addr: {:#x}, len: {:#x}, prot: {}, flags: {:#x}, fd: {:#x}, off: 0)"
NO_FILE = 0xFFFFFFFF


def replay(script: Script, tmp_path: Path) -> tuple[ReplayPlan, Replayed]:
    plan = plan_replay(script.trace(tmp_path), "script")
    return plan, simulate_replay(plan, "drop-retry", DEVICE, cost_factor=0.3)


def test_a_fault_far_inside_a_file_meets_the_page_it_met(tmp_path: Path) -> None:
    """Tables without events in the middle of a mapping of a file are kept."""
    script = Script()
    pages = 5 * TABLE
    script.call(0, MMAP.format(0, pages * 4096, 1, 2, 3), 5, 0x700000)
    for at_us, page in ((100, 3), (1000, 4 * TABLE + 3)):
        script.fault(at_us, 0x700000 + page * 4096, 0x4)
        script.file(at_us + 2, "mm_filemap_fault", f"ofs={page * 4096}")
        script.file(at_us + 3, "page_cache_ra_unbounded",
                    f"index={page} nr_to_read=1 lookahead_size=0")  # fmt: skip
        script.file(at_us + 4, "mm_filemap_add_to_page_cache", f"pfn=0x1 ofs={page * 4096}")
        script.switch(at_us + 10, 41, "D", 0)
        script.switch(at_us + 110, 0, "R", 41)
    plan, replayed = replay(script, tmp_path)
    first, second = [
        int(address)
        for address, kind in zip(plan.operations["address"], plan.operations["kind"], strict=True)
        if kind == KINDS["fault"]
    ]
    assert second - first == 4 * TABLE
    assert replayed.figures["major_faults"] == 2


def test_a_page_that_was_mapped_around_is_within_its_file(tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 0x100000, 1, 2, 3), 5, 0x700000)
    script.fault(100, 0x700000 + 0x37000, 0x4)
    script.file(101, "mm_filemap_map_pages", f"ofs={0x30000}-{0x3FFFF}")
    plan, replayed = replay(script, tmp_path)
    assert plan.file_pages == [0x38]
    assert replayed.figures["filemap_faults"] == 0
    assert replayed.errors == {}  # it would be SIGBUS behind the end of the file


def test_memory_of_brk_and_mremap_exists(tmp_path: Path) -> None:
    script = Script()
    script.call(0, "sys_brk(brk: 0x0)", 1, 0x5000800)
    script.call(2, "sys_brk(brk: 0x5021000)", 3, 0x5021000)
    script.fault(10, 0x5020010, 0x6)
    script.call(20, MMAP.format(0, 0x3000, 3, 0x22, NO_FILE), 21, 0x700000)
    script.fault(30, 0x701000, 0x6)
    text = "sys_mremap(addr: 0x700000, old_len: 0x3000, new_len: 0x5000, flags: 1, new_addr: 0)"
    script.call(40, text, 41, 0x900000)
    script.fault(50, 0x904000, 0x6)
    script.call(60, "sys_brk(brk: 0x5010000)", 61, 0x5010000)
    script.fault(70, 0x500F000, 0x6)
    plan, replayed = replay(script, tmp_path)
    kinds = [int(kind) for kind in plan.operations["kind"]]
    assert [kinds.count(KINDS[name]) for name in ("brk", "mremap", "fault")] == [3, 1, 4]
    assert replayed.finished
    assert replayed.errors == {}


def test_a_touch_without_a_mapping_is_counted(tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 0x2000, 3, 0x22, NO_FILE), 1, 0x700000)
    script.fault(10, 0x700000, 0x6)
    script.call(20, "sys_munmap(addr: 0x700000, len: 0x2000)", 21, 0)
    script.switch(30, 41, "S", 0)
    trace = script.trace(tmp_path)
    plan = plan_replay(trace, "script")
    plan.operations["kind"][0] = 0  # the mmap did not happen
    replayed = simulate_replay(plan, "drop-retry", DEVICE, cost_factor=0.3)
    assert replayed.errors == {"SIGSEGV": 1}


def test_a_vfork_child_maps_into_its_own_program(tmp_path: Path) -> None:
    """Not into its parent, although the child does nothing before its exec."""
    script = Script()
    script.call(0, MMAP.format(0, 0x10000, 1, 2, 3), 1, 0x700000)
    script.event(10, "sys_clone(clone_flags: 0x4111, newsp: 0, parent_tidptr: 0)")
    script.event(12, "task_newtask: pid=42 comm=app clone_flags=4111 oom_score_adj=0")
    script.switch(14, 41, "D", 42)
    script.event(20, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)", 42, 42)
    script.event(30, "sched_process_exec: filename=/bin/new pid=42 old_pid=42", 42, 42)
    script.event(40, MMAP.format(0x700000, 0x10000, 3, 0x32, NO_FILE), 42, 42)
    script.event(41, "sys_mmap -> 0x700000", 42, 42)
    script.event(50, "sched_process_exit: comm=new pid=42 prio=120 group_dead=true", 42, 42)
    script.switch(60, 42, "X", 41)
    script.event(61, "sys_clone -> 0x2a")
    script.fault(70, 0x703000, 0x4)
    script.file(71, "mm_filemap_fault", "ofs=12288")
    script.file(72, "page_cache_ra_unbounded", "index=3 nr_to_read=1 lookahead_size=0")
    script.file(73, "mm_filemap_add_to_page_cache", "pfn=0x1 ofs=12288")
    plan, replayed = replay(script, tmp_path)
    assert plan.threads[1].mm == plan.threads[0].mm
    assert replayed.figures["filemap_faults"] == 1


def test_shared_memory_is_not_read_from_a_device(tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 0x10000, 3, 1, 3), 1, 0x700000)
    script.fault(10, 0x700000, 0x4)
    script.event(11, "mm_filemap_map_pages: dev=0:1 ino=77 ofs=0-65535")
    script.fault(20, 0x701000, 0x6)
    _, replayed = replay(script, tmp_path)
    assert replayed.figures["filemap_faults"] == replayed.figures["major_faults"] == 0
    assert replayed.errors == {}


def test_time_that_other_programs_took_passes_in_the_replay(tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 0x10000, 3, 0x22, NO_FILE), 1, 0x700000)
    script.switch(1000, 41, "R", 900)
    script.switch(31_000, 900, "S", 41)
    script.fault(32_000, 0x700000, 0x6)
    plan, replayed = replay(script, tmp_path)
    assert plan.elapsed_ns == 32_000_000
    assert replayed.figures["elapsed_s"] == pytest.approx(0.032, rel=0.02)


def test_the_work_of_anonymous_faults_is_not_counted_twice(tmp_path: Path) -> None:
    script = Script()
    count, step_us = 500, 4
    script.call(0, MMAP.format(0, count * 4096, 3, 0x22, NO_FILE), 1, 0x700000)
    for page in range(count):
        script.fault(10 + page * step_us, 0x700000 + page * 4096, 0x6)
    script.switch(11 + count * step_us, 41, "S", 0)
    plan, replayed = replay(script, tmp_path)
    fault = replayed.result.actors["fault"]
    costs = load_costs("qemu-icount").costs
    assert fault.sum_ns / count == pytest.approx(
        0.3 * sum(costs[name].ns for name in ANONYMOUS_FAULT_COSTS), rel=0.05
    )
    assert replayed.figures["elapsed_s"] == pytest.approx(plan.elapsed_ns / 1e9, rel=0.05)


def test_compacted_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact_addresses, "MAX_TABLES", 100)
    space = CompactAddresses()
    for _ in range(1000):
        space.use_all(0, 90 * TABLE)  # many mappings of the same range are one
    assert space.finish() == (90 + 2) * TABLE
    space.use_all(0, 1 << 50)
    with pytest.raises(LimitReached, match="too large"):
        space.finish()


def test_a_mapping_much_longer_than_its_file_is_no_obstacle(tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 1 << 46, 1, 1, 3), 5, 0x700000)
    script.fault(100, 0x705000, 0x4)
    script.file(102, "mm_filemap_fault", "ofs=20480")
    plan = plan_replay(script.trace(tmp_path), "script")
    assert plan.address_pages < 10 * TABLE


@pytest.mark.parametrize(
    ("event", "text", "limit"),
    [
        ("page_cache_ra_unbounded", "index={} nr_to_read=9999 lookahead_size=0", "MAX_PAGES"),
        ("page_cache_ra_unbounded", "index=1 nr_to_read=9999 lookahead_size=0", "MAX_WINDOW_PAGES"),
        ("mm_filemap_add_to_page_cache", "pfn=0x1 ofs={}0000000 order=9", "MAX_PAGES"),
    ],
)
def test_pages_that_are_followed_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, text: str, limit: str
) -> None:
    monkeypatch.setattr(residency, limit, 10_000)
    script = Script()
    script.fault(0, 0x705000, 0x4)
    script.file(1, "mm_filemap_fault", "ofs=20480")
    for number in range(1, 40):
        script.file(number + 1, event, text.format(number * 20_000))
        script.switch(number + 2, 41, "S", 0)
    with pytest.raises(LimitReached, match="too large to replay"):
        plan_replay(script.trace(tmp_path), "script")


def test_many_forks_find_room(tmp_path: Path) -> None:
    script = Script()
    for page in range(20):
        text = MMAP.format(0x700000 + page * 0x4000, 0x2000, 1 + 2 * (page % 2), 0x32, NO_FILE)
        script.call(page, text, page, 0x700000 + page * 0x4000)
    for number in range(400):
        at_us = 100 + 10 * number
        script.event(at_us, "sys_clone(clone_flags: 0x1200011, newsp: 0)")
        script.event(at_us + 1, f"task_newtask: pid={100 + number} comm=x clone_flags=1200000 "
                     "oom_score_adj=0")  # fmt: skip
        script.event(at_us + 2, "sys_clone -> 0x64")
    script.fault(4999, 0x700000, 0x4)
    script.switch(5000, 41, "S", 0)
    _, replayed = replay(script, tmp_path)
    assert replayed.finished
    assert replayed.result.actors["fork"].n == 400


def test_a_touch_waits_for_the_mapping_of_another_thread(tmp_path: Path) -> None:
    """Thread 42 sleeps as recorded; 41 needs longer in the replay to make the mapping."""
    script = Script()
    script.event(0, "sys_clone(clone_flags: 0x3d0f00, newsp: 0)")
    script.event(1, "task_newtask: pid=42 comm=app clone_flags=3d0f00 oom_score_adj=0")
    script.event(2, "sys_clone -> 0x2a")
    script.switch(10, 0, "R", 42)
    script.switch(12, 42, "S", 0)
    script.call(500, MMAP.format(0, 0x4000, 3, 0x22, NO_FILE), 510, 0x700000)
    script.switch(520, 0, "R", 42)
    script.fault(530, 0x701000, 0x6, tid=42)
    script.event(600, "sys_munmap(addr: 0x700000, len: 0x4000)", 41)
    script.event(601, "sys_munmap -> 0x0", 41)
    script.call(700, MMAP.format(0, 0x4000, 3, 0x22, NO_FILE), 710, 0x700000, tid=42)
    script.fault(720, 0x702000, 0x6, tid=42)
    script.switch(800, 42, "S", 0)
    script.switch(801, 41, "S", 0)
    plan = plan_replay(script.trace(tmp_path), "script")
    operations = plan.operations
    rows = [
        (int(kind), int(operations["needs"][row]) - 1)
        for row, kind in enumerate(operations["kind"])
        if operations["needs"][row]
    ]
    needed = [(kind, int(operations["kind"][row])) for kind, row in rows]
    assert sorted(needed) == sorted([
        (KINDS["munmap"], KINDS["fault"]),
        (KINDS["fault"], KINDS["mmap"]),
        (KINDS["mmap"], KINDS["munmap"]),
    ])  # fmt: skip
    first_mmap = rows[[kind for kind, _ in needed].index(KINDS["fault"])][1]
    operations["compute_ns"][first_mmap] += 20_000_000
    replayed = simulate_replay(plan, "drop-retry", DEVICE, cost_factor=0.3)
    assert replayed.errors == {}
    assert replayed.figures["elapsed_s"] > 0.020


def test_pages_that_were_mapped_before_the_recording(tmp_path: Path) -> None:
    """Writes to pages that the process had: no filemap_fault, in a forked child neither."""
    script = Script()
    script.call(0, MMAP.format(0, 0x10000, 3, 2, 3), 5, 0x700000)
    script.fault(50, 0x700000, 0x6)
    script.file(51, "mm_filemap_fault", "ofs=0")
    script.fault(100, 0x703000, 0x7)
    script.event(200, "sys_clone(clone_flags: 0x1200011, newsp: 0, parent_tidptr: 0)")
    script.event(210, "task_newtask: pid=50 comm=app clone_flags=1200011 oom_score_adj=0")
    script.event(220, "sys_clone -> 0x32")
    script.fault(300, 0x704000, 0x7, tid=50)
    script.fault(400, 0x700000, 0x7, tid=50)
    plan, replayed = replay(script, tmp_path)
    assert len(plan.mm_private[0]) == 2  # the first page was touched in the recording
    assert replayed.figures["filemap_faults"] == plan.recorded["filemap_faults"] == 1
    assert not replayed.errors


def test_replications_vary_the_recorded_times(tmp_path: Path) -> None:
    script = Script()
    for at_us in range(0, 100_000, 1000):
        script.fault(at_us, 0x900000 + at_us // 1000 * 4096, 0x6)
    script.switch(100_000, 41, "S", 0)
    plan = plan_replay(script.trace(tmp_path), "script")
    elapsed = [
        simulate_replay(plan, "drop-retry", DEVICE, seed=seed, varied=varied).figures["elapsed_s"]
        for seed, varied in ((1, False), (2, False), (1, True), (2, True), (2, True))
    ]
    assert elapsed[0] == elapsed[1]
    assert elapsed[3] == elapsed[4]
    assert len({elapsed[0], elapsed[2], elapsed[3]}) == 3
    assert all(abs(time_s / elapsed[0] - 1) < 0.05 for time_s in elapsed)


@pytest.mark.parametrize(
    "lines",
    [
        [" app-41 ( 40) [000] ..... 0.000300: sched_process_exit: comm=a pid=41 prio=120"],
        [" app-41 ( 40) [000] ..... 0.000300: task_newtask: pid=41 comm=a clone_flags=4111"],
        [
            " a-41 ( 40) [000] ..... 0.000300: sys_munmap(addr: 0x700000, len: 0x7fffffffffff000)",
            " app-41 ( 40) [000] ..... 0.000310: sys_munmap -> 0x0",
        ],
        [
            " app-41 ( 40) [000] ..... 0.000300: sys_vfork()",
            " app-41 ( 40) [000] ..... 0.000301: task_newtask: pid=77 comm=a clone_flags=4111 "
            "oom_score_adj=0",
            " app-41 ( 40) [000] ..... 0.000310: sys_vfork -> 0x4d",
        ],
    ],
)  # fmt: skip
def test_damaged_recordings_are_replayed(lines: list[str], tmp_path: Path) -> None:
    script = Script()
    script.call(0, MMAP.format(0, 0x10000, 3, 2, 3), 5, 0x700000)
    script.fault(50, 0x700000, 0x6)
    script.lines += lines
    script.fault(400, 0x705000, 0x6)
    path = tmp_path / "damaged.txt"
    path.write_text("\n".join(script.lines) + "\n")
    plan = plan_replay(import_text(path, "6.18").trace, "damaged")
    assert simulate_replay(plan, "drop-retry", DEVICE).finished

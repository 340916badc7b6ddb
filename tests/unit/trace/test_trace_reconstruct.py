# SPDX-License-Identifier: GPL-2.0-only
"""What threads did, rebuilt from events: small written recordings, then the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from faultlock.trace.address_space import PAGE
from faultlock.trace.importer import import_text
from faultlock.trace.library import open_trace
from faultlock.trace.lock_waits import LockWaits
from faultlock.trace.reconstruct import reconstruct
from faultlock.trace.recording import Recording
from faultlock.trace.residency import initial_residency
from tests.unit.trace.trace_script import Script

US = 1000


def operations(recording: Recording, kind: str) -> list[dict[str, Any]]:
    return recording.operations.filter(pl.col("kind") == kind).to_dicts()


def cold_fault(script: Script, at_us: int, address: int) -> None:
    """A read fault that misses, drops its lock, sleeps 500 us, and maps on the second attempt."""
    script.fault(at_us, address, 0x4)
    script.file(at_us + 2, "mm_filemap_fault", "ofs=20480")
    text = "index=0 order=0 size=32 async_size=8 ra_pages=32"
    script.file(at_us + 3, "page_cache_ra_order", text)
    for page in range(32):
        script.event(
            at_us + 4, f"mm_filemap_add_to_page_cache: dev 254:0 ino ff pfn=0x1 ofs={page * PAGE}"
        )
    script.switch(at_us + 10, 41, "D", 0)
    script.switch(at_us + 510, 0, "R", 41)
    script.lock(at_us + 511, "start_locking", False)
    script.lock(at_us + 512, "acquire_returned", False)
    script.file(at_us + 514, "mm_filemap_map_pages", "ofs=0-65535")
    script.lock(at_us + 515, "released", False)


def test_a_fault_lasts_from_the_trap_to_its_last_event(tmp_path: Path) -> None:
    script = Script()
    script.call(0, "sys_mmap(addr: 0, len: 0x20000, prot: 1, flags: 2, fd: 3, off: 0)", 5, 0x700000)
    cold_fault(script, 100, 0x705123)
    script.fault(700, 0x900000, 0x6)
    recording = script.recording(tmp_path)
    (mmap,) = operations(recording, "mmap")
    cold, anonymous = operations(recording, "fault")
    assert (cold["start_ns"], cold["end_ns"]) == (100 * US, 615 * US)
    assert (cold["blocked_ns"], cold["compute_ns"]) == (500 * US, 95 * US)
    assert (cold["index"], cold["missed"], cold["pages_added"]) == (5, True, 32)
    assert (cold["filemap_faults"], cold["map_pages"], cold["windows"]) == (1, 1, 1)
    assert (cold["vma"], cold["open_file"]) == (mmap["vma"], mmap["open_file"])
    assert recording.files[cold["file"]].pages == 32
    assert anonymous["compute_ns"] == (700 - 615) * US
    assert (anonymous["file"], anonymous["write"]) == (-1, True)


def test_sleep_and_preemption_are_not_computing(tmp_path: Path) -> None:
    script = Script()
    script.fault(0, 0x900000, 0x6)
    script.switch(100, 41, "R", 50)
    script.switch(300, 50, "S", 41)
    script.switch(350, 41, "S", 0)
    script.switch(850, 0, "R", 41)
    script.fault(900, 0x901000, 0x6)
    recording = script.recording(tmp_path)
    (sleep,) = operations(recording, "sleep")
    assert (sleep["start_ns"], sleep["end_ns"], sleep["state"]) == (350 * US, 850 * US, "S")
    assert sleep["compute_ns"] == 150 * US
    first, second = operations(recording, "fault")
    assert first["end_ns"] == first["start_ns"] == 0
    assert second["compute_ns"] == 50 * US


def test_a_sleep_long_after_a_fault_is_not_the_faults(tmp_path: Path) -> None:
    script = Script()
    script.fault(0, 0x900000, 0x7)
    script.file(2, "mm_filemap_fault", "ofs=4096")
    script.switch(300, 41, "D", 0)
    script.switch(400, 0, "R", 41)
    recording = script.recording(tmp_path)
    assert [sleep["state"] for sleep in operations(recording, "sleep")] == ["D"]
    assert operations(recording, "fault")[0]["blocked_ns"] == 0


def test_readahead_without_a_fault_is_a_read(tmp_path: Path) -> None:
    script = Script()
    text = "index=0 req_count=2 order=0 size=0 async_size=0 ra_pages=32 mmap_miss=0 prev_pos=-1"
    script.file(10, "page_cache_sync_ra", text)
    order = "index=0 order=0 size=4 async_size=2 ra_pages=32"
    script.file(11, "page_cache_ra_order", order)
    script.event(12, "mm_filemap_add_to_page_cache: dev 254:0 ino ff pfn=0x1 ofs=0 order=2")
    script.switch(20, 41, "D", 0)
    script.switch(120, 0, "R", 41)
    recording = script.recording(tmp_path)
    (read,) = operations(recording, "read")
    assert (read["index"], read["length"], read["pages_added"]) == (0, 2, 4)
    assert read["blocked_ns"] == 100 * US


def test_mappings_are_split_and_share_open_files(tmp_path: Path) -> None:
    script = Script()
    mmap = "sys_mmap(addr: {:#x}, len: {:#x}, prot: {}, flags: {:#x}, fd: 0x5, off: {:#x})"
    script.call(0, mmap.format(0, 0x10000, 1, 2, 0), 1, 0x700000)
    script.call(2, mmap.format(0x704000, 0x4000, 5, 0x12, 0x4000), 3, 0x704000)
    script.call(4, "sys_mprotect(start: 0x701000, len: 0x1000, prot: 3)", 5, 0)
    script.call(6, "sys_munmap(addr: 0x70e000, len: 0x2000)", 7, 0)
    script.fault(20, 0x705000, 0x14)
    script.file(21, "mm_filemap_fault", "ofs=20480")
    recording = script.recording(tmp_path)
    alive = sorted(
        (vma.start, vma.end, vma.prot, vma.offset)
        for vma in recording.vmas
        if vma.removed_ns < 0 and vma.mm == 0
    )
    assert alive == [
        (0x700000, 0x701000, 1, 0),
        (0x701000, 0x702000, 3, 0x1000),
        (0x702000, 0x704000, 1, 0x2000),
        (0x704000, 0x708000, 5, 0x4000),
        (0x708000, 0x70E000, 1, 0x8000),
    ]
    assert len({vma.open_file for vma in recording.vmas}) == 1
    assert recording.open_files[0].file == operations(recording, "fault")[0]["file"]


def test_fork_copies_and_exec_begins_an_address_space(tmp_path: Path) -> None:
    script = Script()
    script.call(
        0,
        "sys_mmap(addr: 0, len: 0x1000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)",
        1,
        0x700000,
    )
    script.event(10, "sys_clone(clone_flags: 0x1200011, newsp: 0, parent_tidptr: 0)")
    script.event(12, "task_newtask: pid=42 comm=app clone_flags=1200000 oom_score_adj=0")
    script.event(20, "sys_clone -> 0x2a")
    script.switch(30, 41, "S", 42)
    script.event(40, "page_fault_user: address=0x700000 ip=0x1 error_code=0x7", 42, 42)
    script.event(50, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)", 42, 42)
    script.event(60, "sched_process_exec: filename=/bin/new pid=42 old_pid=42", 42, 42)
    script.event(61, "sys_execve -> 0x0", 42, 42)
    script.event(70, "sched_process_exit: comm=new pid=42 prio=120 group_dead=true", 42, 42)
    recording = script.recording(tmp_path)
    assert [(mm.origin, mm.parent) for mm in recording.mms] == [
        ("start", -1),
        ("fork", 0),
        ("exec", 1),
    ]
    assert recording.mms[2].program == "/bin/new"
    (clone,) = operations(recording, "clone")
    assert (clone["child"], clone["end_ns"] - clone["start_ns"]) == (1, 10 * US)
    (fault,) = operations(recording, "fault")
    copy = recording.vmas[fault["vma"]]
    assert (copy.mm, copy.start, copy.inferred) == (1, 0x700000, False)
    assert recording.threads[1].end_ns == 70 * US
    assert recording.threads[1].parent == 0


def test_wait_chains_name_the_holder_and_what_it_does(tmp_path: Path) -> None:
    script = Script()
    script.fault(0, 0x700000, 0x4)
    script.lock(1, "start_locking", False)
    script.lock(2, "acquire_returned", False)
    script.switch(10, 41, "D", 42)
    script.event(20, "sys_munmap(addr: 0x900000, len: 0x1000)", 42)
    script.lock(21, "start_locking", True, 42)
    script.switch(30, 42, "D", 0)
    script.switch(500, 0, "R", 41)
    script.lock(510, "released", False)
    script.switch(520, 41, "S", 42)
    script.lock(521, "acquire_returned", True, 42)
    path = tmp_path / "script.txt"
    path.write_text("\n".join(script.lines))
    locks = LockWaits()
    reconstruct(import_text(path).trace, locks.observe)
    (wait,) = locks.waits
    assert (wait.doing, wait.write, wait.wait_ns) == ("munmap", True, 500 * US)
    waiter, holder = locks.chain(wait)
    assert waiter.overlap_ns == 500 * US
    assert (holder.doing, holder.waits_for) == ("fault", "sleep (I/O or a lock)")
    assert holder.overlap_ns == (500 - 21) * US


def test_pages_used_without_insertion_were_resident(tmp_path: Path) -> None:
    script = Script()
    script.fault(0, 0x703000, 0x4)
    script.file(1, "mm_filemap_fault", "ofs=12288")
    script.fault(50, 0x704000, 0x4)
    path = tmp_path / "script.txt"
    path.write_text("\n".join(script.lines))
    assert initial_residency(import_text(path).trace) == {0: {3}}


@pytest.mark.parametrize("name", ["chromium-cold-start", "java-cold-start"])
def test_every_page_cache_event_of_a_shipped_recording_finds_its_cause(name: str) -> None:
    trace = open_trace(name)
    recording = reconstruct(trace)
    rows = recording.operations
    faults = rows.filter(pl.col("kind") == "fault")
    traps = len(trace.table("page_fault_user")) + len(trace.table("page_fault_kernel"))
    assert len(faults) == traps
    assert faults["filemap_faults"].sum() == len(trace.table("mm_filemap_fault"))
    assert faults["map_pages"].sum() == len(trace.table("mm_filemap_map_pages"))
    added = trace.table("mm_filemap_add_to_page_cache")
    of_files = added.filter(pl.col("dev") >= 1 << 20)
    pages = sum(1 << order for order in of_files["order"])
    assert rows["pages_added"].sum() == pages
    assert (rows["end_ns"] >= rows["start_ns"]).all()
    assert (rows["compute_ns"] >= 0).all()
    known = {vma.number for vma in recording.vmas}
    assert [vma.number for vma in recording.vmas] == list(range(len(known)))
    for row in faults.filter(pl.col("vma") >= 0).sample(2000, seed=1).iter_rows(named=True):
        vma = recording.vmas[row["vma"]]
        assert vma.start <= row["address"] < vma.end
        if row["file"] >= 0 and row["index"] >= 0:
            assert vma.index_of(row["address"]) == row["index"]


def test_nobody_computes_on_more_cpus_than_there_are() -> None:
    for name in ("chromium-cold-start", "java-cold-start"):
        recording = reconstruct(open_trace(name))
        rows = recording.operations
        busy_ns = rows["compute_ns"].sum()
        assert busy_ns < 2 * recording.elapsed_ns
        for thread in range(len(recording.threads)):
            own = rows.filter(pl.col("thread") == thread)
            ends, starts = own["end_ns"].to_numpy(), own["start_ns"].to_numpy()
            if len(own):
                assert own["compute_ns"].to_numpy()[1:].sum() <= ends.max() - starts.min()

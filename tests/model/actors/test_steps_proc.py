# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.8, 8.9 and 8.12 step by step: /proc, remote readers, khugepaged, the OOM killer."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_khugepaged import scene as collapse
from tests.model.actors.test_proc import scene
from tests.model.table import drives

READ = {"mmap_lock read"}
ROLLUP, CMDLINE, MAPS, SMAPS = "SMAPS_ROLLUP", "CMDLINE", "MAPS", "SMAPS"


def proc(name: str, **parameters: int) -> Scene:
    return scene(f"read_proc(current.mm, ProcFile.{name})", **parameters)


def writer_inside(s: Scene, thread: int = 3) -> int:
    """mmap_lock is held for write; the semaphore."""
    lock = s.semaphore("MM", "mmap_lock")
    s.put("RwSemaphore", lock, "writer", thread)
    return lock


@drives("8.8.1")
@pytest.mark.parametrize(("name", "reads"), [(MAPS, 1), (SMAPS, 3)])
def test_8_8_1_once_for_each_read(name: str, reads: int) -> None:
    """maps: 40 lines a read; smaps: one VMA a read; the lock is free in between."""
    s = proc(name, KERNEL_VERSION=612)
    for _ in range(reads):
        s.reach("8.8.1", 2)
        assert s.held(2) == set()
        assert s.after("8.8.1", 2) == READ
        s.until(2, "read_proc")
        assert s.held(2) == set(), "between two reads of the file"
    assert s.run(2) == ""
    assert len([step for step in s.steps_seen() if step.text == "cpu(\"system_call\")"]) == reads


@drives("8.8.1", "8.8.2", "8.8.3", "8.8.5")
def test_8_8_all_these_waits_are_killable() -> None:
    for name, label, version in ((MAPS, "8.8.1", 612), (ROLLUP, "8.8.2", 612),
                                 (CMDLINE, "8.8.3", 612), (MAPS, "8.8.5", 700)):  # fmt: skip
        s = proc(name, KERNEL_VERSION=version)
        if version == 700:
            s.put("VMA", 1, "write_locked", 1)
        s.reach(label, 2)
        writer_inside(s)
        assert s.run(2).startswith("rwsem_down_read_slowpath") and s.held(2) == set()
        s.put("Thread", 2, "fatal_signal_pending", 1)
        assert s.run(2) == "" and s.held(2) == set()
        assert s.saw(label) and "maps_vma" not in [name for name, _, _ in s.costs]


@drives("8.8.2")
@pytest.mark.parametrize("contended", [True, False])
def test_8_8_2_rollup_gives_the_lock_up_only_when_contended(contended: bool) -> None:
    s = proc(ROLLUP)
    assert s.after("8.8.2", 2) == READ
    if contended:
        assert s.run(3).startswith("rwsem_down_write_slowpath")
    seen = [s.held(2)]
    while s.step(2):
        if s.held(2) != seen[-1]:
            seen.append(s.held(2))
    if contended:
        assert seen == [READ, set()] and s.run(3) == "", "the writer gets in"
        assert s.run(2) == ""
    else:
        assert s.where(2) == "" and seen == [READ, set()]
    visited = [name for name, _, thread in s.costs if name == "smaps_vma" and thread == 2]
    assert len(visited) >= 3 and s.held(2) == set()


@drives("8.8.3", "8.8.4")
@pytest.mark.parametrize("killed", [0, 1])
def test_8_8_3_and_4_the_remote_page_is_waited_for_with_mmap_lock(killed: int) -> None:
    s = proc(CMDLINE, CMDLINE_ADDRESS=1)
    s.put("File", 1, "ra_pages", 2)
    s.reach("8.8.3", 2)
    assert s.held(2) == set()
    assert s.after("8.8.3", 2) == READ
    s.until(2, "handle_mm_fault")
    assert s.local(2, "handle_mm_fault", "flags") == 128, "REMOTE; no ALLOW_RETRY, no KILLABLE"
    assert s.saw("8.8.4")
    where = s.run(2)
    s.put("Thread", 2, "fatal_signal_pending", killed)
    assert s.run(2) == where and "mmap_lock read" in s.held(2)
    s.run(4)
    s.until(2, "__access_remote_vm")
    s.step(2)
    assert s.local(2, "__access_remote_vm", "pages") == (1 if not killed else -4)
    assert s.run(2) == "" and s.held(2) == set() and s.get("MM", 1, "pte", 1) != 0


@drives("8.8.5", "3.2.7")
def test_3_2_7_lock_next_vma_falls_back_to_mmap_lock_and_keeps_only_the_vma_lock() -> None:
    s = proc(MAPS, KERNEL_VERSION=700)
    s.put("VMA", 1, "write_locked", 1)
    s.reach("8.8.5", 2)
    assert s.held(2) == set() and s.get("VMA", 1, "rcu_readers") == 0
    s.reach("3.2.7", 2)
    assert s.held(2) == READ and s.get("VMA", 1, "vm_refcnt") == 1
    s.step(2)
    assert s.held(2) == READ | {"vma"} and s.get("VMA", 1, "vm_refcnt") == 2
    s.until(2, "show_maps_vma_lock")
    assert s.held(2) == {"vma"}, "mmap_lock is released, the VMA lock stays"
    assert s.get("Thread", 2, "holds_vma_lock") == 1


@drives("8.8.5")
def test_8_8_5_without_a_writer_mmap_lock_is_never_taken() -> None:
    s = proc(MAPS, KERNEL_VERSION=700)
    shown: list[int] = []
    while s.step(2):
        assert not s.held(2) & {"mmap_lock read", "mmap_lock write"}
        if s.costs and len(shown) < len(s.costs):
            shown.append(s.get("Thread", 2, "holds_vma_lock"))
    assert [vma for vma in shown if vma] == [1, 2, 3] and s.where(2) == ""
    s = proc(MAPS, KERNEL_VERSION=700)
    s.put("VMA", 1, "write_locked", 1)
    assert s.after("8.8.5", 2) == READ


@drives("8.8.6")
def test_8_8_6_process_vm_readv_takes_the_lock_for_each_page_uninterruptibly() -> None:
    s = scene("process_vm_readv(current.mm, 0, 2)")
    s.put("File", 1, "ra_pages", 2)
    s.reach("8.8.6", 2)
    lock = writer_inside(s)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("rwsem_down_read_slowpath"), "uninterruptible"
    s.put("Thread", 2, "fatal_signal_pending", 0)
    s.machine.call("up_write", lock, thread=3)
    s.until(2, "handle_mm_fault")
    assert s.local(2, "handle_mm_fault", "flags") == 4 | 16 | 128, "UNLOCKABLE"
    assert s.held(2) == READ
    s.reach("8.8.6", 2)
    assert s.held(2) == set(), "released between two pages"
    assert s.after("8.8.6", 2) == READ
    s.run(2)
    s.run(4)
    assert s.run(2) == "" and s.held(2) == set()


@drives("8.8.7")
def test_8_8_7_status_costs_time_and_no_lock() -> None:
    s = proc("STATUS")
    writer_inside(s)
    s.reach("8.8.7", 2)
    s.step(2)
    assert s.costs[-1] == ("proc_status", 1, 2) and s.held(2) == set()
    assert s.run(2) == "" and s.events_of("LOCK_ACQUIRED") == []


# ---- 8.9: khugepaged -----------------------------------------------------------------------------


@drives("8.9.1", "8.9.2")
def test_8_9_1_and_2_trylock_pin_then_mmap_lock_is_released() -> None:
    s = collapse()
    s.reach("8.9.1", 2)
    lock = writer_inside(s, 1)
    s.step(2)
    assert s.run(2) == "" and s.held(2) == set(), "a busy mm is skipped, not waited for"
    assert s.get("RwSemaphore", lock, "first_waiter") == 0 and not s.saw("8.9.2")
    s = collapse()
    assert s.after("8.9.1", 2) == READ
    files = s.get("File", 1, "f_count")
    assert s.after("8.9.2", 2) == READ | {"pin"} and s.get("File", 1, "f_count") == files + 1
    s.until(2, "collapse_file")
    assert s.held(2) == {"pin"}
    assert s.run(2) == "" and s.get("File", 1, "f_count") == files


@drives("8.9.3")
def test_8_9_3_an_absent_page_is_read_with_the_earlier_folio_locks_held() -> None:
    s = collapse("khugepaged_scan_file(current.mm, 2)")
    s.reach("8.9.3", 2)
    assert s.get("Mapping", 1, "pages", 2) == 0 and s.held(2) == {"pin"}
    s.after("8.9.3", 2)
    assert len(s.events_of("IO_SUBMIT")) == 1 and s.get("Mapping", 1, "pages", 2) != 0
    where = s.run(2)
    assert where.startswith("folio_wait_bit_common") and s.held(2) == {"pin", "folio"}
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where, "[U]"


@drives("8.9.4")
@pytest.mark.parametrize("busy", ["", "locked", "dirty", "writeback"])
def test_8_9_4_a_cached_page_is_only_tried(busy: str) -> None:
    s = collapse()
    s.reach("8.9.4", 2)
    if busy:
        s.put("Folio", 1, busy, 1)
    held = s.after("8.9.4", 2)
    assert held == ({"pin"} if busy else {"pin", "folio", "folio lock"})
    if busy:
        assert s.run(2) == "" and s.get("Mapping", 1, "pages", 0) == 1, "the collapse fails"


@drives("8.9.5")
@pytest.mark.parametrize("extra", [0, 1])
def test_8_9_5_exactly_cache_isolation_and_own_reference(extra: int) -> None:
    s = collapse()
    s.run(1)
    s.reach("8.9.5", 2)
    assert s.get("MM", 1, "pte", 0) == 0, "unmapped first"
    assert s.get("Folio", 1, "refcount") == 3 and s.get("Folio", 1, "lru") == 0
    s.put("Folio", 1, "refcount", 3 + extra)
    s.put("Folio", 1, "extra_refs", 1 + extra)
    s.until(2, "collapse_file")
    assert s.local(2, "collapse_file", "taken") == 0, "not assigned yet"
    assert s.held(2) == {"pin"}, "the collapse holds it, or it was given back"
    assert s.get("Folio", 1, "locked") == 1 - extra and s.get("Folio", 1, "lru") == extra
    assert s.run(2) == ""
    assert (s.get("Mapping", 1, "pages", 0) == 1) == bool(extra)


@drives("8.9.6", "8.9.7")
def test_8_9_6_and_7_one_large_folio_and_the_page_tables_of_all_processes() -> None:
    s = collapse()
    s.reach("8.9.6", 2)
    assert [s.get("Folio", f, "locked") for f in (1, 2)] == [1, 1] and s.held(2) == {"pin"}
    assert s.after("8.9.6", 2) == {"pin", "invalidate_lock read"}
    s.reach("8.9.7", 2)
    assert s.held(2) == {"pin"} and s.get("Mapping", 1, "nr_thps") == 1
    large = s.get("Mapping", 1, "pages", 0)
    assert s.get("Mapping", 1, "pages", 1) == large and s.get("Folio", large, "order") == 1
    assert s.get("Folio", large, "refcount") == 2 and s.get("Folio", large, "locked") == 1
    assert [s.get("Folio", f, "refcount") for f in (1, 2)] == [0, 0], "the small ones are free"
    s.put("MM", 1, "pte", large, 1)  # somebody mapped it before it is unmapped
    s.put("MM", 1, "page_table", 2, 0)
    s.put("Folio", large, "mapcount", 1)
    s.put("Folio", large, "refcount", 3)
    held: set[str] = set()
    while s.get("MM", 1, "pte", 1):
        assert s.step(2)
        held |= s.held(2)
    assert held == {"pin", "i_mmap"}, "no mmap_lock, no VMA lock"
    assert s.run(2) == "" and s.get("Folio", large, "locked") == 0
    assert s.get("Folio", large, "refcount") == 2 and s.saw("8.9.7")


@drives("8.9.8")
def test_8_9_8_anonymous_memory_mmap_lock_write_then_the_vma() -> None:
    s = collapse("khugepaged_collapse_anon(current.mm, 8)")
    s.reach("8.9.8", 2)
    lock = s.semaphore("MM", "mmap_lock")
    s.put("RwSemaphore", lock, "readers", 1)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath"), "[U]"
    s.machine.call("up_read", lock)
    while ("collapse_anon", 1, 2) not in s.costs:
        assert s.step(2)
    assert s.held(2) == {"mmap_lock write"}
    assert [s.get("VMA", vma, "write_locked") for vma in (1, 2)] == [0, 1], "the anonymous VMA"
    assert s.run(2) == "" and s.get("VMA", 2, "write_locked") == 0 and s.saw("8.9.8")


# ---- 8.12: the OOM killer ------------------------------------------------------------------------


@drives("8.12.1", "8.12.2")
def test_8_12_1_and_2_kill_then_reap_private_memory() -> None:
    s = scene("out_of_memory(current.mm)")
    s.run(1)
    s.reach("8.12.1", 2)
    assert [s.get("Thread", t, "fatal_signal_pending") for t in (1, 2, 3)] == [0, 0, 0]
    s.step(2)
    assert [s.get("Thread", t, "fatal_signal_pending") for t in (1, 2, 3)] == [1, 1, 1]
    s.put("VMA", 1, "vm_flags", s.get("VMA", 1, "vm_flags") | 8)  # a shared one
    shared = s.get("MM", 1, "pte", 0)
    s.reach("8.12.2", 2)
    assert s.held(2) == set() and s.get("MM", 1, "pte_flags", 8) & 4
    s.until(2, "__oom_reap_task_mm")
    assert s.held(2) == READ
    s.until(2, "oom_reap_task")
    assert s.held(2) == set() and s.get("MM", 1, "pte_flags", 8) == 0
    assert s.get("MM", 1, "pte", 0) == shared != 0, "shared mappings stay"
    assert s.run(2) == "" and s.get("MM", 1, "oom_skip") == 1 and s.events_of("OOM_GIVE_UP") == []


@drives("8.12.2", "8.12.3")
def test_8_12_3_ten_tries_then_given_up() -> None:
    s = scene("out_of_memory(current.mm)")
    s.run(1)
    lock = writer_inside(s)
    tries = 0
    while not s.saw("8.12.3"):
        before = len(s.seen)
        assert s.step(2)
        now = s.steps_seen()[before]
        tries += "mmap_read_trylock(mm)" in now.text
        assert s.get("RwSemaphore", lock, "first_waiter") == 0, "only tried"
    assert tries == 10 and s.get("MM", 1, "oom_skip") == 1, "marked as done"
    assert s.run(2) == "" and len(s.events_of("OOM_GIVE_UP")) == 1
    assert s.get("MM", 1, "pte_flags", 8) & 4 and s.get("MM", 1, "unstable") == 0

# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.5 and 8.7 step by step: fork, exit, exec."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_fork import scene
from tests.model.table import drives

WRITE, PRIVATE = 2, 4


def locked_vmas(s: Scene) -> list[int]:
    return [vma for vma in (1, 2, 3) if s.get("VMA", vma, "write_locked")]


@drives("8.5.1")
@pytest.mark.parametrize("killed", [0, 1])
def test_8_5_1_takes_the_parents_mmap_lock_killably(killed: int) -> None:
    s = scene()
    s.reach("8.5.1", 2)
    assert s.held(2) == set()
    lock = s.semaphore("MM", "mmap_lock")
    s.put("RwSemaphore", lock, "readers", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath")
    if killed:
        s.put("Thread", 2, "fatal_signal_pending", 1)
        assert s.run(2) == "" and s.get("Thread", 2, "signal_pending") == 1, "-EINTR"
        assert s.get("MM", 2, "map_count") == 0 and not s.saw("8.5.2")
    else:
        s.machine.call("up_read", lock)
        s.reach("8.5.2", 2)
        assert s.held(2) == {"mmap_lock write"} and s.lock_word("MM", "mmap_lock", "writer") == 2


@drives("8.5.2", "8.5.3")
def test_8_5_2_and_3_the_childs_lock_without_waiting_then_the_tree() -> None:
    s = scene()
    s.reach("8.5.2", 2)
    assert s.lock_word("MM", "mmap_lock", "writer", 2) == 0 and s.get("MM", 2, "users") == 1
    s.after("8.5.2", 2)
    assert s.lock_word("MM", "mmap_lock", "writer", 2) == 2
    assert s.held(2) == {"mmap_lock write"}
    s.after("8.5.3", 2)
    assert s.costs[-1] == ("fork_dup_tree", s.get("MM", 1, "map_count"), 2) and locked_vmas(s) == []


@drives("8.5.4", "8.5.4a")
def test_8_5_4_one_vma_after_the_other_in_address_order() -> None:
    s = scene()
    s.reach("8.5.4", 2)
    assert locked_vmas(s) == []
    order: list[list[int]] = []
    while locked_vmas(s) != [1, 2, 3]:
        assert s.step(2)
        if not order or order[-1] != locked_vmas(s):
            order.append(locked_vmas(s))
    assert order == [[], [1], [1, 2], [1, 2, 3]]
    assert s.saw("8.5.4a")


@drives("8.5.4a")
@pytest.mark.parametrize(("version", "killable"), [(612, False), (618, False), (700, True)])
def test_8_5_4a_waits_for_the_readers_of_each_vma(version: int, killable: bool) -> None:
    s = scene(KERNEL_VERSION=version)
    s.until(1, "do_read_fault")
    s.reach("8.5.4a", 2)
    s.run(2)
    assert s.where(2) and s.held(2) == {"mmap_lock write"} and locked_vmas(s) == []
    s.put("Thread", 2, "fatal_signal_pending", 1)
    s.run(2)
    assert (s.where(2) == "") == killable
    if not killable:
        s.run(1)
        assert s.run(2) == ""
        assert s.saw("8.5.4a")
    assert s.get("MM", 2, "map_count") == 0, "8.5.4b: aborted before the copy"


@drives("8.5.4a")
def test_8_5_4a_locks_a_vma_that_is_not_copied_too() -> None:
    s = scene(flags=" | VM_DONTCOPY")
    s.reach("8.5.5", 2)
    assert locked_vmas(s) == [1, 2, 3] and s.get("MM", 2, "map_count") == 2


@drives("8.5.4b")
@pytest.mark.parametrize("killed", [0, 1])
def test_8_5_4b_a_fatal_signal_aborts(killed: int) -> None:
    s = scene()
    s.reach("8.5.4b", 2)
    s.put("Thread", 2, "fatal_signal_pending", killed)
    s.reach("8.5.5", 2)
    assert s.get("MM", 2, "map_count") == (0 if killed else 3)
    assert s.get("MM", 2, "unstable") == killed
    s.run(2)
    assert s.get("Thread", 2, "signal_pending") == killed, "-EINTR"


@drives("8.5.4c")
def test_8_5_4c_the_childs_vma_has_its_file_reference_and_place_in_i_mmap() -> None:
    s = scene()
    s.reach("8.5.4c", 2)
    files = s.get("File", 1, "f_count")
    assert s.get("MM", 2, "map_count") == 0
    s.until(2, "i_mmap_lock_write")
    copy = s.get("MM", 2, "vmas", 0)
    s.until(2, "copy_page_range")
    assert s.get("MM", 2, "map_count") == 1 and s.get("File", 1, "f_count") == files + 1
    assert s.get("VMA", copy, "vm_mm") == 2
    for field in ("vm_start", "vm_end", "vm_file", "vm_pgoff", "vm_flags"):
        assert s.get("VMA", copy, field) == s.get("VMA", 1, field)
    listed, vma = [], s.get("Mapping", 1, "i_mmap")
    while vma:
        listed.append(vma)
        vma = s.get("VMA", vma, "next_in_mapping")
    assert copy in listed and s.lock_word("Mapping", "i_mmap_rwsem", "writer") == 0
    assert s.saw("8.5.4c")


@drives("8.5.4c")
def test_8_5_4c_waits_for_i_mmap_rwsem() -> None:
    s = scene()
    s.after("8.5.4c", 2)
    s.put("RwSemaphore", s.semaphore("Mapping", "i_mmap_rwsem"), "readers", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath")
    assert s.held(2) == {"mmap_lock write"}


@drives("8.5.4d")
@pytest.mark.parametrize(("flags", "copied"), [("", True), (" | VM_WIPEONFORK", False)])
def test_8_5_4d_copies_what_was_written_and_protects_it_in_both(flags: str, copied: bool) -> None:
    """VMA 2 was written to (an anon_vma), VMA 1 only read: the child faults that in again."""
    s = scene(flags=flags, before="touch(0, False, True)\n    touch(2, True, True)")
    s.run(2)
    s.run(4)
    s.run(2)
    s.run(4)
    s.reach("8.5.4d", 2)
    assert s.get("MM", 1, "pte", 0) != 0 and s.get("MM", 1, "pte_flags", 2) & WRITE
    assert s.after("8.5.4d", 2) == {"mmap_lock write"}
    assert s.get("MM", 2, "pte", 0) == 0 and s.costs[-1][0] != "fork_pte", "nothing to copy"
    s.reach("8.5.5", 2)
    assert bool(s.get("MM", 2, "pte_flags", 2) & PRIVATE) == copied
    assert bool(s.get("MM", 1, "pte_flags", 2) & WRITE) != copied
    assert s.get("MM", 2, "pte_flags", 2) & WRITE == 0


@drives("8.5.5")
def test_8_5_5_ends_all_write_locks_at_once() -> None:
    s = scene()
    s.reach("8.5.5", 2)
    assert s.lock_word("MM", "mmap_lock", "writer", 2) == 0, "the child's lock is free"
    assert ("tlb_flush", 1, 2) in s.costs
    assert locked_vmas(s) == [1, 2, 3] and s.held(2) == {"mmap_lock write"}
    assert s.after("8.5.5", 2) == set() and locked_vmas(s) == []
    assert s.lock_word("MM", "mmap_lock", "writer") == 0


def test_a_fork_that_waits_for_mmap_lock_shares_no_page_yet() -> None:
    """Until then a thread writes its pages as they are, without a copy (TLB == 1: simulator)."""
    s = scene(TLB=1)
    s.reach("8.5.1", 2)
    lock = s.semaphore("MM", "mmap_lock")
    s.put("RwSemaphore", lock, "readers", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath")
    assert s.get("MM", 1, "live_children") == 0
    s.machine.call("up_read", lock)
    s.reach("8.5.5", 2)
    assert s.get("MM", 1, "live_children") == 1


# ---- 8.7 -----------------------------------------------------------------------------------------


@drives("8.7.1", "8.7.2")
def test_8_7_1_and_2_exit_mm_then_exit_files() -> None:
    s = scene(after="do_exit()")
    s.reach("8.7.1", 2)
    users = s.get("MM", 1, "users")
    assert s.held(2) == set()
    assert s.after("8.7.1", 2) == {"mmap_lock read"}
    s.reach("8.7.2", 2)
    assert s.held(2) == set() and s.get("MM", 1, "users") == users - 1
    assert s.get("MM", 1, "map_count") == 3, "another thread uses the mm"
    assert s.run(2) == ""


@drives("8.7.3", "8.7.4", "8.7.5")
def test_8_7_3_to_5_the_last_user_tears_the_address_space_down() -> None:
    s = scene(after="kernel_wait4()")
    s.run(2)
    s.reach("8.7.3", 3)
    assert s.get("MM", 2, "users") == 0 and s.held(3) == set()
    assert s.after("8.7.3", 3) == {"mmap_lock read"}
    for _ in range(3):
        s.after("8.7.4", 3)
    assert [s.get("MM", 2, "pte_flags", page) for page in range(10)] == [0] * 10
    assert s.get("MM", 2, "map_count") == 3, "zapped under mmap_lock read; the VMAs are there"
    s.reach("8.7.5", 3)
    assert s.held(3) == set() and s.get("MM", 2, "oom_skip") == 1
    assert s.after("8.7.5", 3) == {"mmap_lock write"}
    while s.get("MM", 2, "map_count") > 1:
        assert s.step(3) and s.held(3) <= {"mmap_lock write", "i_mmap"}
    assert s.run(3) == "" and s.get("MM", 2, "map_count") == 0


@drives("8.7.3")
@pytest.mark.parametrize("label", ["8.7.3", "8.7.5"])
def test_8_7_3_and_5_are_uninterruptible(label: str) -> None:
    s = scene(after="kernel_wait4()")
    s.run(2)
    s.reach("8.7.3", 3)
    s.reach(label, 3)
    lock = s.semaphore("MM", "mmap_lock", 2)
    s.put("RwSemaphore", lock, "writer" if label == "8.7.3" else "readers", 1)
    where = s.run(3)
    assert "slowpath" in where
    s.put("Thread", 3, "fatal_signal_pending", 1)
    assert s.run(3) == where and s.held(3) == set()
    s.machine.call("up_write" if label == "8.7.3" else "up_read", lock)
    assert s.run(3) == ""


@drives("8.7.6")
@pytest.mark.parametrize("killed", [0, 1])
def test_8_7_6_exec_takes_the_old_lock_killably_and_drops_the_mm(killed: int) -> None:
    s = scene(before="exec_mmap(current.mm)")
    users = s.get("MM", 1, "users")
    s.reach("8.7.6", 2)
    lock = s.semaphore("MM", "mmap_lock")
    s.put("RwSemaphore", lock, "writer", 1)
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", killed)
    if not killed:
        s.machine.call("up_write", lock)
    s.until(2, "forking")
    assert s.held(2) == set() and s.get("MM", 1, "users") == users - 1 + killed

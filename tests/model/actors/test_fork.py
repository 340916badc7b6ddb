# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.5: fork; 8.7: exit and exec."""

import pytest

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = (
    '''
@setup
def start():
    """Two file VMAs and an anonymous one; thread 3 is the process that fork will make."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 2, 0, VM_READ)
    boot_map(mm, file, 2, 2, 2, VM_READ | VM_WRITE | VM_MAYWRITE{flags})
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE)
    child_is(3)


@atomic
def child_is(number: int):
    for thread in each(Thread):
        number -= 1
        if number == 0:
            boot_child(thread)


@atomic
def hold(error: errno_t):
    current.signal_pending = error != 0


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("T2")
def forking():
    {before}
    error: errno_t = sys_fork()
    hold(error)
    {after}


@thread("child")
def forked():
    child_process()
'''
    + DISK
)


def scene(
    before: str = "touch(8, True, True)",
    after: str = "pass",
    flags: str = "",
    policy: str = "",
    **parameters: int,
) -> Scene:
    text = BODY.format(before=before, after=after, flags=flags)
    return Scene(text, 4, policy, **parameters)


@pytest.mark.parametrize("version", [612, 618, 700])
@drives("8.5.1", "8.5.2", "8.5.3", "8.5.4", "8.5.4a", "8.5.4b", "8.5.4c", "8.5.4d", "8.5.5")
def test_fork_step_by_step(version: int) -> None:
    s = scene(KERNEL_VERSION=version)
    assert s.after("8.5.1", 2) == {"mmap_lock write"}
    s.after("8.5.2", 2)
    assert s.get("RwSemaphore", 2, "writer") == 2 or s.get("MM", 2, "users") == 1
    assert s.after("8.5.3", 2) == {"mmap_lock write"}
    s.reach("8.5.4", 2)
    assert s.get("VMA", 1, "write_locked") == 0
    assert s.after("8.5.4a", 2) == {"mmap_lock write"}
    assert s.get("VMA", 1, "write_locked") == 1
    assert s.get("VMA", 2, "write_locked") == 0, "locked one after the other, in address order"
    assert s.after("8.5.4b", 2) == {"mmap_lock write"}
    assert s.after("8.5.4c", 2) == {"mmap_lock write"}
    assert s.after("8.5.4d", 2) == {"mmap_lock write"}
    s.after("8.5.4d", 2)
    s.after("8.5.4d", 2)
    assert [s.get("VMA", vma, "write_locked") for vma in (1, 2, 3)] == [1, 1, 1]
    assert s.after("8.5.5", 2) == set()
    assert [s.get("VMA", vma, "write_locked") for vma in (1, 2, 3)] == [0, 0, 0]
    assert s.get("MM", 2, "map_count") == 3
    s.run(2)
    s.run(3)
    s.assert_balanced()


@drives("8.5.5")
def test_only_copied_on_write_memory_is_copied() -> None:
    s = scene(before="touch(8, True, True)")
    s.run(1)
    s.run(4)
    s.run(1)
    s.after("8.5.5", 2)
    assert s.get("MM", 1, "pte", 0) != 0
    assert s.get("MM", 2, "pte", 0) == 0, "the child faults file pages in again"
    assert s.get("MM", 2, "pte_flags", 8) & 4, "the private page was copied"
    assert s.get("MM", 1, "pte_flags", 8) & 2 == 0, "and write-protected in the parent"
    s.assert_balanced()


def test_fork_waits_for_a_reader_of_a_vma() -> None:
    """A fault that sleeps with the VMA lock delays fork; without I/O it does not sleep."""
    s = scene()
    s.until(1, "do_read_fault")
    assert s.held(1) == {"vma"}
    where = s.run(2)
    assert where.startswith(("vma_wait_for_readers", "rwsem_down_write_slowpath")), where
    assert s.held(2) == {"mmap_lock write"}
    s.run(1)
    assert s.run(2) == ""


@pytest.mark.parametrize(("version", "ends"), [(612, False), (618, False), (700, True)])
def test_only_7_0_forks_killably(version: int, ends: bool) -> None:
    s = scene(KERNEL_VERSION=version)
    s.until(1, "do_read_fault")
    s.run(2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert (s.run(2) == "") == ends
    s.run(1)
    assert s.run(2) == ""
    assert s.get("Thread", 2, "signal_pending") == 1, "fork fails"
    assert s.get("MM", 2, "map_count") == 0, "the incomplete child is torn down"
    s.assert_balanced()


def test_a_killed_fork_does_not_start() -> None:
    s = scene()
    s.until(2, "dup_mmap")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    s.put("RwSemaphore", 1, "readers", 1)
    assert s.run(2) == ""
    assert s.get("Thread", 2, "signal_pending") == 1


@drives("8.5.5")
def test_dontcopy_and_wipeonfork() -> None:
    s = scene(flags=" | VM_DONTCOPY")
    s.after("8.5.5", 2)
    assert s.get("MM", 2, "map_count") == 2
    s = scene(flags=" | VM_WIPEONFORK", before="touch(2, True, True)")
    s.run(2)
    s.run(4)
    s.after("8.5.5", 2)
    assert s.get("MM", 1, "pte_flags", 2) & 4
    assert s.get("MM", 2, "pte_flags", 2) == 0


@drives("8.5.4a", "8.5.4d")
def test_without_a_child_everything_else_happens() -> None:
    s = scene(FORK_CHILD=0)
    s.after("8.5.4a", 2)
    assert s.get("VMA", 1, "write_locked") == 1
    s.after("8.5.4d", 2)
    assert s.run(2) == ""
    assert s.get("MM", 2, "users") == 0
    assert s.get("Thread", 2, "signal_pending") == 0


@drives("8.7.1", "8.7.2", "8.7.3", "8.7.4", "8.7.5")
def test_the_child_exits_and_the_parent_reaps_it() -> None:
    s = scene(after="kernel_wait4()")
    assert s.run(2).startswith("kernel_wait4")
    assert s.after("8.7.1", 3) == {"mmap_lock read"}
    assert s.after("8.7.3", 3) == {"mmap_lock read"}
    assert s.after("8.7.4", 3) == {"mmap_lock read"}
    assert s.get("MM", 2, "pte_flags", 8) == 4 | 1, "the first VMA was emptied, not the third"
    assert s.after("8.7.5", 3) == {"mmap_lock write"}
    assert s.get("MM", 2, "pte_flags", 8) == 0
    assert s.after("8.7.2", 3) == set()
    assert s.run(3) == ""
    assert s.get("MM", 2, "map_count") == 0
    assert s.run(2) == ""
    s.assert_balanced()


@drives("8.7.1")
def test_an_exiting_thread_waits_behind_a_writer_uninterruptibly() -> None:
    s = scene(after="do_exit()")
    s.reach("8.7.1", 2)
    s.put("RwSemaphore", 1, "writer", 1)
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("rwsem_down_read_slowpath"), "not even SIGKILL helps"


@drives("8.7.6")
def test_exec_takes_the_old_lock_killably() -> None:
    s = scene(before="exec_mmap(current.mm)")
    assert s.after("8.7.6", 2) == {"mmap_lock read"}
    s = scene(before="exec_mmap(current.mm)")
    s.put("RwSemaphore", 1, "writer", 1)
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    s.run(2)
    assert "exec_mmap" not in s.stack(2)

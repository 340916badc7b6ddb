# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.8: /proc readers and remote access; 8.12: the OOM killer."""

import pytest

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = (
    '''
@setup
def start():
    """Three VMAs; the last page of the first one is cold."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 2, 0, VM_READ)
    boot_map(mm, file, 2, 2, 2, VM_READ | VM_EXEC)
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def user():
    touch(0, False, True)
    touch(8, True, True)


@thread("T2")
def reader():
    {call}


@thread("T3")
def writer():
    vm_mmap_pgoff(None, 12, 1, 0, VM_READ, False)
'''
    + DISK
)


def scene(call: str, **parameters: int) -> Scene:
    return Scene(BODY.format(call=call), 4, **parameters)


@pytest.mark.parametrize(("version", "held"), [(612, {"mmap_lock read"}), (700, {"vma"})])
def test_maps(version: int, held: set[str]) -> None:
    s = scene("read_proc(current.mm, ProcFile.MAPS)", KERNEL_VERSION=version)
    while 'cpu("maps_vma")' not in s.where(2):
        assert s.step(2)
    assert s.held(2) == held
    assert s.run(2) == ""
    assert s.saw("8.8.1") == (version == 612)
    s.assert_balanced()


@drives("8.8.5")
def test_maps_of_7_0_falls_back_when_it_meets_a_write_locked_vma() -> None:
    s = scene("read_proc(current.mm, ProcFile.MAPS)", KERNEL_VERSION=700)
    s.put("VMA", 1, "write_locked", 1)
    s.put("RwSemaphore", 1, "writer", 3)
    s.reach("8.8.5", 2)
    where = s.run(2)
    assert where.startswith("rwsem_down_read_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == "", "killable"


@drives("8.8.1")
def test_smaps_takes_the_lock_for_each_read() -> None:
    s = scene("read_proc(current.mm, ProcFile.SMAPS)")
    assert s.after("8.8.1", 2) == {"mmap_lock read"}
    s.until(2, "read_proc")
    assert s.held(2) == set(), "between two reads of the file"
    assert s.run(2) == ""


@drives("8.8.2")
def test_smaps_rollup_gives_way_to_a_writer() -> None:
    s = scene("read_proc(current.mm, ProcFile.SMAPS_ROLLUP)")
    assert s.after("8.8.2", 2) == {"mmap_lock read"}
    assert s.run(3).startswith("rwsem_down_write_slowpath")
    while s.get("Thread", 2, "mmap_lock_mode"):
        assert s.step(2)
    assert s.run(3) == "", "the writer got in between two VMAs"
    assert s.run(2) == ""
    s.assert_balanced()


@drives("8.8.3", "8.8.4")
def test_cmdline_waits_for_io_with_mmap_lock_held_uninterruptibly() -> None:
    s = scene("read_proc(current.mm, ProcFile.CMDLINE)", CMDLINE_ADDRESS=1)
    s.put("File", 1, "ra_pages", 2)
    assert s.after("8.8.3", 2) == {"mmap_lock read"}
    s.reach("8.8.4", 2)
    where = s.run(2)
    assert where.startswith("folio_wait_bit_common")
    assert "mmap_lock read" in s.held(2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where, "no KILLABLE without UNLOCKABLE"
    s.run(4)
    assert s.run(2) == ""
    s.assert_balanced()


@drives("8.8.6")
def test_process_vm_readv_releases_the_lock_for_io() -> None:
    s = scene("process_vm_readv(current.mm, 1, 1)")
    s.put("File", 1, "ra_pages", 2)
    assert s.after("8.8.6", 2) == {"mmap_lock read"}
    s.run(2)
    assert "mmap_lock read" not in s.held(2)
    s.run(4)
    assert s.run(2) == ""
    s.assert_balanced()


@drives("8.8.7")
def test_status_takes_no_lock() -> None:
    s = scene("read_proc(current.mm, ProcFile.STATUS)")
    s.put("RwSemaphore", 1, "writer", 3)
    s.after("8.8.7", 2)
    assert s.run(2) == ""


def test_clear_refs_write_locks_every_vma() -> None:
    s = scene("read_proc(current.mm, ProcFile.CLEAR_REFS)")
    s.run(1)
    s.until(2, "madvise_cold_or_pageout")
    assert s.held(2) == {"mmap_lock write"}
    assert s.get("VMA", 1, "write_locked") == 1
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte_flags", 0) & 1 == 0


@drives("8.12.1", "8.12.2")
def test_the_oom_reaper_takes_private_memory() -> None:
    s = scene("out_of_memory(current.mm)")
    s.run(1)
    s.after("8.12.1", 2)
    assert s.get("Thread", 1, "fatal_signal_pending") == 1
    s.after("8.12.2", 2)
    s.run(2)
    assert s.get("MM", 1, "pte_flags", 8) == 0
    assert s.get("MM", 1, "unstable") == 1 and s.get("MM", 1, "oom_skip") == 1
    assert s.held(2) == set()


@drives("8.12.3")
def test_the_oom_reaper_gives_up_after_ten_tries() -> None:
    s = scene("out_of_memory(current.mm)")
    s.run(1)
    s.put("RwSemaphore", 1, "writer", 3)
    s.after("8.12.3", 2)
    assert s.local(2, "oom_reap_task", "attempts") in (0, 10)
    s.run(2)
    assert s.get("MM", 1, "oom_skip") == 1
    assert s.get("MM", 1, "pte_flags", 8) & 4, "nothing was freed"

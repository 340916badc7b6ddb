# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.6: mmap, munmap, mprotect, mremap, brk, mlock, madvise."""

import pytest

from tests.model.actors.scene import DISK, Scene

BODY = (
    '''
@setup
def start():
    """A file of eight pages mapped at 0..3 (shared) and 4..7; anonymous memory at 8..9."""
    mm = boot_mm()
    mapping = boot_mapping(8)
    file = boot_file(mapping, {ra})
    boot_map(mm, file, 0, 4, 0, VM_READ | VM_WRITE | VM_SHARED)
    boot_map(mm, file, 4, 4, 4, VM_READ | VM_MAYWRITE)
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 4, 0)
    boot_cache(mapping, 5, 0)


@atomic
def the_file() -> File:
    for file in each(File):
        return file
    return None


@atomic
def keep(result: int):
    machine.herd = result


@thread("T1")
def toucher():
    touch(0, False, True)
    touch(4, False, True)
    touch(5, False, True)


@thread("T2")
def caller():
    result: int = {call}
    keep(result)
'''
    + DISK
)


def scene(call: str, ra: int = 0, **parameters: int) -> Scene:
    return Scene(BODY.format(call=call, ra=ra), 3, **parameters)


def result(s: Scene) -> int:
    return s.get("machine", 1, "herd")


def vmas(s: Scene) -> list[tuple[int, int]]:
    count = s.get("MM", 1, "map_count")
    numbers = [s.get("MM", 1, "vmas", i) for i in range(count)]
    return [(s.get("VMA", v, "vm_start"), s.get("VMA", v, "vm_end")) for v in numbers]


def held_while(s: Scene, function: str) -> set[str]:
    s.until(2, function)
    return s.held(2)


def test_mmap_of_anonymous_memory_takes_the_highest_gap() -> None:
    s = scene("vm_mmap_pgoff(None, MAP_ANYWHERE, 2, 0, VM_READ, False)")
    assert held_while(s, "mmap_region") == {"mmap_lock write"}
    assert s.run(2) == ""
    assert result(s) == 14
    assert vmas(s)[-1] == (14, 16)
    s.assert_balanced()


def test_mmap_beside_an_equal_area_grows_it() -> None:
    s = scene("vm_mmap_pgoff(None, 10, 2, 0, VM_READ | VM_WRITE | VM_MAYWRITE, False)")
    assert held_while(s, "vma_expand") == {"mmap_lock write"}
    assert s.run(2) == ""
    assert vmas(s)[-1] == (8, 12)


def test_mmap_fixed_replaces_what_is_there() -> None:
    s = scene("vm_mmap_pgoff(None, 4, 2, 0, VM_READ, False)")
    s.run(1)
    assert s.get("MM", 1, "pte", 4) != 0
    assert s.run(2) == ""
    assert vmas(s) == [(0, 4), (4, 6), (6, 8), (8, 10)]
    assert s.get("MM", 1, "pte", 4) == 0
    s.assert_balanced()


def test_mmap_populate_faults_in_after_the_write_lock() -> None:
    s = scene("vm_mmap_pgoff(the_file(), 10, 2, 4, VM_READ, True)")
    assert held_while(s, "__get_user_pages") == {"mmap_lock read"}
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte", 10) == s.get("Mapping", 1, "pages", 4)
    assert s.get("MM", 1, "pte", 11) != 0
    s.assert_balanced()


@pytest.mark.parametrize("version", [612, 618])
def test_munmap_downgrades_before_it_empties_page_tables(version: int) -> None:
    s = scene("__vm_munmap(4, 6)", KERNEL_VERSION=version)
    s.run(1)
    assert held_while(s, "vms_gather_munmap_vmas") == {"mmap_lock write"}
    assert held_while(s, "zap_page_range_single") == {"mmap_lock read"}
    assert s.get("MM", 1, "pte", 4) != 0
    assert vmas(s) == [(0, 4), (6, 8), (8, 10)], "detached before the downgrade"
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte", 4) == 0
    assert s.get("File", 1, "f_count") == 2
    s.assert_balanced()


def test_a_fault_meets_no_detached_vma() -> None:
    s = scene("__vm_munmap(4, 8)")
    held_while(s, "zap_page_range_single")
    s.run(1)
    assert s.get("MM", 1, "pte", 4) == 0
    assert s.run(2) == ""
    s.assert_balanced()


def test_munmap_of_the_middle_splits() -> None:
    s = scene("__vm_munmap(1, 3)")
    assert s.run(2) == ""
    assert vmas(s) == [(0, 1), (3, 4), (4, 8), (8, 10)]
    upper = s.get("MM", 1, "vmas", 1)
    assert s.get("VMA", upper, "vm_pgoff") == 3
    s.assert_balanced()


def test_munmap_waits_for_a_reader_of_the_vma() -> None:
    s = scene("__vm_munmap(0, 4)")
    s.until(1, "do_read_fault")
    where = s.run(2)
    assert where.startswith(("vma_wait_for_readers", "rwsem_down_write_slowpath")), where
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where, "uninterruptible"
    s.run(1)
    assert s.run(2) == ""
    s.assert_balanced()


def test_mprotect_locks_the_vma_and_changes_entries_under_the_write_lock() -> None:
    s = scene("do_mprotect(0, 4, VM_READ)")
    s.until(2, "change_protection")
    assert s.held(2) == {"mmap_lock write"}
    assert s.get("VMA", 1, "write_locked") == 1
    assert s.run(2) == ""
    assert s.get("VMA", 1, "vm_flags") & 2 == 0
    assert s.get("VMA", 1, "write_locked") == 0


def test_mprotect_with_equal_flags_does_nothing() -> None:
    s = scene("do_mprotect(0, 4, VM_READ | VM_WRITE)")
    assert s.run(2) == ""
    assert "vma_modify_flags" not in {step.function for step in s.steps_seen()}


def test_mprotect_of_a_part_splits_and_back_again_merges() -> None:
    call = "do_mprotect(4, 6, VM_READ | VM_EXEC)\n    again: errno_t = do_mprotect(4, 6, VM_READ)"
    s = scene(call)
    s.until(2, "change_protection")
    assert vmas(s) == [(0, 4), (4, 6), (6, 8), (8, 10)]
    assert s.run(2) == ""
    assert vmas(s) == [(0, 4), (4, 8), (8, 10)]
    s.assert_balanced()


def test_mprotect_of_a_locked_private_mapping_populates_under_the_write_lock() -> None:
    s = scene("do_mprotect(4, 8, VM_READ | VM_WRITE)", ra=2)
    s.put("VMA", 2, "vm_flags", s.get("VMA", 2, "vm_flags") | 32)
    s.until(2, "filemap_fault")
    assert s.held(2) == {"mmap_lock write"}
    where = s.run(2)
    assert "wait" in where
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where, "neither ALLOW_RETRY nor KILLABLE"
    assert "mmap_lock write" in s.held(2)


def test_mremap_shrinks_grows_and_moves() -> None:
    s = scene("sys_mremap(8, 2, 1, False)")
    assert s.run(2) == ""
    assert vmas(s)[-1] == (8, 9)
    s = scene("sys_mremap(8, 2, 4, False)")
    assert s.run(2) == ""
    assert vmas(s)[-1] == (8, 12)
    s = scene("sys_mremap(4, 4, 5, True)")
    s.run(1)
    assert s.run(2) == ""
    assert vmas(s) == [(0, 4), (8, 10), (11, 16)]
    assert s.get("MM", 1, "pte", 11) == s.get("Mapping", 1, "pages", 4)
    assert s.get("MM", 1, "pte", 4) == 0
    s.assert_balanced()
    s = scene("sys_mremap(4, 4, 5, False)")
    s.run(2)
    assert result(s) == -12


def test_brk() -> None:
    s = scene("sys_brk(10, 12)")
    assert s.run(2) == ""
    assert vmas(s)[-1] == (8, 12)
    s = scene("sys_brk(10, 9)")
    assert s.run(2) == ""
    assert vmas(s)[-1] == (8, 9)


def test_mlock_populates_in_read_mode() -> None:
    s = scene("do_mlock(4, 6, True)")
    assert held_while(s, "__get_user_pages") == {"mmap_lock read"}
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte", 4) != 0 and s.get("MM", 1, "pte", 5) != 0
    assert vmas(s) == [(0, 4), (4, 6), (6, 8), (8, 10)]
    s = scene("do_mlock(4, 6, False)")
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte", 4) == 0


@pytest.mark.parametrize(("version", "held"), [(612, {"mmap_lock read"}), (700, {"vma"})])
def test_dontneed_runs_under_the_lock_of_its_version(version: int, held: set[str]) -> None:
    s = scene("do_madvise(4, 6, MADV_DONTNEED)", KERNEL_VERSION=version)
    s.run(1)
    assert held_while(s, "zap_page_range_single") == held
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte", 4) == 0
    assert s.get("Mapping", 1, "pages", 4) != 0, "the page cache keeps it"
    s.assert_balanced()


def test_dontneed_over_two_vmas_takes_mmap_lock_in_7_0() -> None:
    s = scene("do_madvise(2, 6, MADV_DONTNEED)", KERNEL_VERSION=700)
    s.run(1)
    assert held_while(s, "zap_page_range_single") == {"mmap_lock read"}
    assert s.run(2) == ""


def test_willneed_submits_without_mmap_lock_and_does_not_wait() -> None:
    s = scene("do_madvise(6, 8, MADV_WILLNEED)", ra=4)
    assert held_while(s, "force_page_cache_ra") == {"pin"}
    assert s.run(2) == ""
    assert s.get("Folio", s.get("Mapping", 1, "pages", 6), "reading") == 1
    s.run(3)
    s.assert_balanced()


@pytest.mark.parametrize(
    ("advice", "flags"), [("RANDOM", 64), ("SEQUENTIAL", 128), ("DONTFORK", 512), ("HUGEPAGE", 256)]
)
def test_flag_advice_takes_the_write_lock(advice: str, flags: int) -> None:
    s = scene(f"do_madvise(4, 8, MADV_{advice})")
    assert held_while(s, "madvise_update_vma") == {"mmap_lock write"}
    assert s.run(2) == ""
    assert s.get("VMA", 2, "vm_flags") & flags
    s = scene("do_madvise(4, 8, MADV_NORMAL)")
    s.run(2)
    assert "vma_modify_flags" not in {step.function for step in s.steps_seen()}, "no-op"


def test_cold_and_pageout() -> None:
    s = scene("do_madvise(4, 6, MADV_COLD)")
    s.run(1)
    assert s.run(2) == ""
    assert s.get("MM", 1, "pte_flags", 4) & 1 == 0
    assert s.get("MM", 1, "pte", 4) != 0
    s = scene("do_madvise(4, 6, MADV_PAGEOUT)")
    s.run(1)
    assert held_while(s, "shrink_folio") == {"mmap_lock read"}
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 4) == 0
    assert s.get("MM", 1, "pte", 4) == 0
    s.assert_balanced()


def test_remove_punches_a_hole_without_mmap_lock() -> None:
    s = scene("do_madvise(0, 2, MADV_REMOVE)")
    s.run(1)
    assert held_while(s, "ext4_punch_hole") == {"pin"}
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 0) == 0
    s.assert_balanced()


def test_process_madvise_blocks_behind_the_targets_writer() -> None:
    s = scene("process_madvise(current.mm, 4, 6, MADV_COLD)")
    s.put("RwSemaphore", 1, "writer", 1)
    where = s.run(2)
    assert where.startswith("rwsem_down_read_slowpath")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where
    s = scene("process_madvise(current.mm, 4, 6, MADV_DONTNEED)")
    s.run(2)
    assert result(s) == -22


WIDE = {"N_ADDRESS_PAGES": 32}


def test_an_area_without_a_wish_lies_below_mmap_base() -> None:
    """A thread that unmaps its VMA and maps it again at the same place must find it empty."""
    s = scene("vm_mmap_pgoff(None, MAP_ANYWHERE, 2, 0, VM_READ, False)", **WIDE)
    s.put("MM", 1, "mmap_base", 20)
    s.run(2)
    assert result(s) == 18 and (18, 20) in vmas(s)


def test_areas_above_mmap_base_are_no_hindrance() -> None:
    s = scene("vm_mmap_pgoff(None, MAP_ANYWHERE, 1, 0, VM_READ, False)", **WIDE)
    s.put("MM", 1, "mmap_base", 4)
    s.put("VMA", 1, "vm_end", 3)
    s.run(2)
    assert result(s) == 3, "between the first VMA and mmap_base"

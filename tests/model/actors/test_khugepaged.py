# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.9: khugepaged collapses a file range."""

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = '''
@setup
def start():
    """A file of four pages, two of them cached."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 4, 0, VM_READ | VM_EXEC)
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("T1")
def user():
    touch({page}, False, True)


@thread("T2")
def khugepaged():
    {call}
'''
OTHER = """

@atomic
def the_mapping() -> Mapping:
    for mapping in each(Mapping):
        return mapping
    return None


@thread("T4")
def other():
    {other}
"""


def scene(
    call: str = "khugepaged_scan_file(current.mm, 0)", page: int = 0, other: str = "pass"
) -> Scene:
    text = BODY.format(call=call, page=page) + DISK + OTHER.format(other=other)
    return Scene(text, 4, COLLAPSE_ORDER=1)


@drives("8.9.1", "8.9.2", "8.9.4", "8.9.5", "8.9.6", "8.9.7")
def test_collapse_step_by_step() -> None:
    s = scene()
    s.run(1)
    s.reach("8.9.2", 2)
    assert s.held(2) == {"mmap_lock read"}
    assert s.saw("8.9.1")
    assert s.after("8.9.2", 2) == {"mmap_lock read", "pin"}
    s.until(2, "collapse_file")
    assert s.held(2) == {"pin"}, "mmap_lock is released before the work"
    s.after("8.9.4", 2)
    assert s.held(2) == {"pin", "folio", "folio lock"}
    s.after("8.9.5", 2)
    assert s.get("MM", 1, "pte", 0) == 0, "page tables of all processes are emptied"
    assert s.after("8.9.6", 2) == {"pin", "invalidate_lock read"}
    s.after("8.9.7", 2)
    assert s.run(2) == ""
    large = s.get("Mapping", 1, "pages", 0)
    assert s.get("Mapping", 1, "pages", 1) == large
    assert s.get("Folio", large, "order") == 1
    assert s.get("Folio", large, "uptodate") == 1
    s.assert_balanced()


@drives("8.9.3")
def test_absent_pages_are_read_first() -> None:
    s = scene("khugepaged_scan_file(current.mm, 2)")
    s.after("8.9.3", 2)
    where = s.run(2)
    assert where.startswith("folio_wait_bit_common")
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where, "uninterruptible"
    for _ in range(4):
        s.run(3)
        s.run(2)
    assert s.where(2) == ""
    s.assert_balanced()


def test_somebody_elses_reference_makes_the_collapse_fail() -> None:
    s = scene()
    s.put("Folio", 2, "refcount", 2)
    s.put("Folio", 2, "extra_refs", 1)
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 0) == 1, "rolled back"
    assert s.get("Folio", 1, "locked") == 0 and s.get("Folio", 1, "lru") == 1
    s.assert_balanced()


def test_a_locked_folio_makes_the_collapse_fail() -> None:
    s = scene()
    s.put("Folio", 2, "locked", 1)
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 0) == 1
    s.assert_balanced()


@drives("8.9.6")
def test_collapse_and_hole_punch_deadlock_on_invalidate_lock_and_folio_lock() -> None:
    """As read in 6.12: khugepaged takes invalidate_lock with folio locks held (8.9.6)."""
    s = scene(other="ext4_punch_hole(the_mapping(), 0, 2)")
    s.reach("8.9.6", 2)
    assert s.run(4).startswith("folio_wait_bit_common")
    assert s.held(4) >= {"i_rwsem", "invalidate_lock write"}
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    for thread in (1, 2, 3, 4):
        s.put("Thread", thread, "fatal_signal_pending", 1)
    assert s.run(4) != "" and s.run(2) != "", "not even SIGKILL ends it"


@drives("8.9.5")
def test_file_systems_with_large_folios_do_not_meet_that_deadlock() -> None:
    s = scene(other="ext4_punch_hole(the_mapping(), 0, 2)")
    s.put("Mapping", 1, "max_order", 1)
    s.after("8.9.5", 2)
    s.after("8.9.5", 2)
    s.run(4)
    assert s.run(2) == ""
    assert s.run(4) == ""
    s.assert_balanced()


@drives("8.9.3", "8.9.5")
def test_readahead_with_folio_locks_held_deadlocks_too() -> None:
    """8.9.3 after 8.9.5: a page of the range vanished, and readahead takes invalidate_lock."""
    s = scene(other="ext4_punch_hole(the_mapping(), 0, 2)")
    s.put("Mapping", 1, "max_order", 1)
    s.after("8.9.5", 2)
    assert s.run(4).startswith("folio_wait_bit_common")
    s.reach("8.9.3", 2)
    assert s.run(2).startswith("rwsem_down_read_slowpath")
    assert "page_cache_ra_unbounded" in s.stack(2)
    assert s.run(4) != ""


def test_a_busy_mm_is_skipped() -> None:
    s = scene()
    s.put("RwSemaphore", 1, "writer", 1)
    assert s.run(2) == ""
    assert s.get("Mapping", 1, "pages", 0) == 1


@drives("8.9.8")
def test_anonymous_memory_needs_the_write_locks() -> None:
    s = scene("khugepaged_collapse_anon(current.mm, 8)", page=8)
    assert s.after("8.9.8", 2) == {"mmap_lock write"}
    assert s.run(2) == ""
    s = scene("khugepaged_collapse_anon(current.mm, 8)", page=8)
    s.until(1, "do_anonymous_page")
    where = s.run(2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2) == where != "", "uninterruptible"

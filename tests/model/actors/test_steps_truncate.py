# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.1 and 8.2 step by step: what is held, zapped, removed and paid, before and after."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_truncate import scene
from tests.model.table import drives

BOTH = {"i_rwsem", "invalidate_lock write"}
TRUNCATE = "ext4_setattr(the_mapping(), 1, {partial})"
PUNCH = "ext4_punch_hole(the_mapping(), 2, 3)"
DIRECT = '\n\n@thread("T3")\ndef reader():\n    direct_read(the_mapping())\n'


def truncate(partial: bool = True) -> Scene:
    """Pages 0 and 2 cached and mapped; cut down to one page."""
    s = scene(TRUNCATE.format(partial=partial))
    s.run(1)
    return s


def mapped(s: Scene) -> list[int]:
    return [page for page in range(4) if s.get("MM", 1, "pte", page)]


def cached(s: Scene) -> list[int]:
    return [page for page in range(4) if s.get("Mapping", 1, "pages", page)]


def private_copy(s: Scene, page: int) -> None:
    """Somebody wrote to a private mapping of the page."""
    s.put("MM", 1, "pte_flags", 4, page)
    s.put("MM", 1, "page_table", s.get("MM", 1, "page_table") + 1)


@drives("8.1.1", "8.1.2")
def test_8_1_1_and_2_i_rwsem_then_direct_io_is_waited_for() -> None:
    s = scene(TRUNCATE.format(partial=False), DIRECT)
    while s.get("Mapping", 1, "i_dio_count") == 0:
        s.step(3)
    s.step(3)
    assert s.after("8.1.1", 2) == {"i_rwsem"}
    assert s.lock_word("Mapping", "i_rwsem", "writer") == 2
    s.reach("8.1.2", 2)
    assert s.run(2).startswith("inode_dio_wait") and s.held(2) == {"i_rwsem"}
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("inode_dio_wait"), "uninterruptible"
    s.run(3)
    s.reach("8.1.3", 2)
    assert s.get("Mapping", 1, "i_dio_count") == 0 and s.held(2) == {"i_rwsem"}


@drives("8.1.3", "8.1.4")
def test_8_1_3_waits_uninterruptibly_for_those_who_fill() -> None:
    s = truncate()
    lock = s.semaphore("Mapping", "invalidate_lock")
    s.reach("8.1.3", 2)
    s.put("RwSemaphore", lock, "readers", 1)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath") and s.held(2) == {"i_rwsem"}
    assert s.get("Mapping", 1, "i_size") == 4, "8.1.4 comes after it"
    s.machine.call("up_read", lock)
    s.after("8.1.4", 2)
    assert s.get("Mapping", 1, "i_size") == 1 and s.held(2) == BOTH
    assert mapped(s) == [0, 2] and cached(s) == [0, 2]


@drives("8.1.5")
def test_8_1_5_zaps_from_the_new_end_on_private_copies_too() -> None:
    s = truncate()
    s.reach("8.1.5", 2)
    private_copy(s, 3)
    seen = set()
    while mapped(s) != [0]:
        assert s.step(2)
        seen |= s.held(2)
    assert seen == BOTH | {"i_mmap"}, "no mmap_lock, no VMA lock, no folio lock"
    s.reach("8.1.6", 2)
    assert s.get("MM", 1, "pte_flags", 3) == 0 and cached(s) == [0, 2]
    assert s.get("Folio", 2, "refcount") == 1 and s.held(2) == BOTH


@drives("8.1.6")
@pytest.mark.parametrize("partial", [True, False])
def test_8_1_6_removes_the_folios_and_zeroes_the_tail_of_the_last(partial: bool) -> None:
    s = truncate(partial)
    assert s.after("8.1.6", 2) == BOTH
    assert cached(s) == [0] and s.get("Folio", 2, "refcount") == 0, "freed"
    s.reach("8.1.7", 2)
    assert (("zero_page", 1, 2) in s.costs) == partial
    assert s.get("Folio", 1, "locked") == 0 and s.get("Folio", 1, "mapping") == 1


@drives("8.1.6")
def test_8_1_6_a_mapped_folio_is_unmapped_under_its_lock() -> None:
    """A fault mapped the page again after 8.1.5."""
    s = truncate()
    s.reach("8.1.6", 2)
    s.put("MM", 1, "pte", 2, 2)
    s.put("MM", 1, "page_table", s.get("MM", 1, "page_table") + 1)
    s.put("Folio", 2, "refcount", 2)
    s.put("Folio", 2, "mapcount", 1)
    while s.get("MM", 1, "pte", 2):
        assert s.step(2)
    assert "folio lock" in s.held(2) and s.get("Folio", 2, "mapping") == 1
    s.reach("8.1.7", 2)
    assert s.get("Folio", 2, "refcount") == 0 and cached(s) == [0]


@drives("8.1.7")
def test_8_1_7_zaps_once_more() -> None:
    """A private copy made between the two unmaps is gone after the second."""
    s = truncate()
    s.reach("8.1.7", 2)
    private_copy(s, 2)
    assert s.after("8.1.7", 2) == BOTH
    assert s.get("MM", 1, "pte_flags", 2) == 0 and mapped(s) == [0]


@drives("8.1.8", "8.1.9")
def test_8_1_8_and_9_blocks_are_freed_before_the_locks_are() -> None:
    s = truncate()
    s.reach("8.1.8", 2)
    assert s.held(2) == BOTH and cached(s) == [0]
    s.after("8.1.8", 2)
    assert s.costs[-1] == ("free_blocks", 1, 2) and s.held(2) == BOTH
    assert s.after("8.1.9", 2) == {"i_rwsem"}
    assert s.lock_word("Mapping", "invalidate_lock", "writer") == 0
    assert s.run(2) == "" and s.held(2) == set()
    assert s.lock_word("Mapping", "i_rwsem", "writer") == 0


# ---- 8.2 -----------------------------------------------------------------------------------------


@drives("8.2.1", "8.2.2")
def test_8_2_1_and_2_i_rwsem_direct_io_then_invalidate_lock() -> None:
    s = scene(PUNCH, DIRECT)
    while s.get("Mapping", 1, "i_dio_count") == 0:
        s.step(3)
    s.step(3)
    s.reach("8.2.1", 2)
    assert s.held(2) == {"i_rwsem"} and s.lock_word("Mapping", "i_rwsem", "writer") == 2
    assert s.run(2).startswith("inode_dio_wait")
    s.run(3)
    s.reach("8.2.2", 2)
    lock = s.semaphore("Mapping", "invalidate_lock")
    s.put("RwSemaphore", lock, "readers", 1)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert s.run(2).startswith("rwsem_down_write_slowpath") and s.held(2) == {"i_rwsem"}
    s.machine.call("up_read", lock)
    s.reach("8.2.4", 2)
    assert s.held(2) == BOTH


@drives("8.2.3")
def test_8_2_3_writes_back_what_is_dirty_from_the_start_on() -> None:
    s = scene("ext4_collapse_range(the_mapping(), 1, 2)")
    s.put("Folio", 1, "dirty", 1)
    s.put("Folio", 2, "dirty", 1)
    s.reach("8.2.3", 2)
    assert s.held(2) == BOTH
    assert s.after("8.2.3", 2) == BOTH
    assert [s.get("Folio", f, "dirty") for f in (1, 2)] == [1, 0], "page 0 is before the range"
    assert s.get("Folio", 2, "writeback") == 0 and cached(s) == [0, 2]


@drives("8.2.3")
def test_8_2_3_comes_after_direct_io_and_invalidate_lock() -> None:
    s = scene("ext4_collapse_range(the_mapping(), 1, 2)", DIRECT)
    while s.get("Mapping", 1, "i_dio_count") == 0:
        s.step(3)
    s.step(3)
    assert s.run(2).startswith("inode_dio_wait") and s.held(2) == {"i_rwsem"}
    s.run(3)
    assert s.after("8.2.3", 2) == BOTH


@drives("8.2.4")
def test_8_2_4_unmaps_once_private_copies_stay_and_empties_the_range() -> None:
    s = scene(PUNCH)
    s.run(1)
    s.reach("8.2.4", 2)
    assert mapped(s) == cached(s) == [0, 2]
    private_copy(s, 3)
    unmapped = len([step for step in s.steps_seen() if step.function == "unmap_mapping_range"])
    assert unmapped == 0
    assert s.after("8.2.4", 2) == BOTH
    assert mapped(s) == cached(s) == [0] and s.get("Mapping", 1, "i_size") == 4
    assert s.get("MM", 1, "pte_flags", 3) == 4, "private, and beyond the hole"
    entered = [step for step in s.steps_seen() if "i_mmap_lock_read" in step.text]
    assert len(entered) == 1, "once: no second unmap"


@drives("8.2.5", "8.2.6")
def test_8_2_5_and_6_the_conversion_is_still_under_both_locks() -> None:
    s = scene(PUNCH)
    s.reach("8.2.5", 2)
    assert s.held(2) == BOTH
    s.after("8.2.5", 2)
    assert s.costs[-1] == ("free_blocks", 1, 2) and s.held(2) == BOTH
    assert s.after("8.2.6", 2) == {"i_rwsem"}
    assert s.run(2) == "" and s.get("Mapping", 1, "i_size") == 4
    assert s.lock_word("Mapping", "invalidate_lock", "writer") == 0

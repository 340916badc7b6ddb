# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.3 and 8.4 step by step: reclaim of a folio, and read(2) of one."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_read import scene as read_scene
from tests.model.actors.test_reclaim import ACCESSED, cached, scene
from tests.model.table import drives

RECLAIM, KEEP, ACTIVATE = range(3)
LOCK = {"folio lock"}
CACHED = "boot_cache(mapping, 0, 0)"
NOT_UPTODATE = "folio = boot_cache(mapping, 0, 0)\n    folio.uptodate = False"
MARKED = "folio = boot_cache(mapping, 0, 0)\n    folio.readahead = True"


def kept(s: Scene) -> bool:
    """Is folio 1 back on the LRU, unlocked, with the isolation's reference dropped?"""
    return (
        cached(s, 0)
        and s.get("Folio", 1, "lru") == 1
        and s.get("Folio", 1, "locked") == 0
        and s.get("Folio", 1, "extra_refs") == 0
        and s.held(2) == set()
    )


@drives("8.3.1")
@pytest.mark.parametrize("lru", [0, 1])
def test_8_3_1_isolation_takes_it_off_the_lru_with_a_reference(lru: int) -> None:
    s = scene(call="try_to_free_pages()" if lru else "reclaim_once()", LRU=lru)
    s.reach("8.3.1", 2)
    assert s.get("Folio", 1, "refcount") == 1 and s.get("Folio", 1, "lru") == 1
    s.after("8.3.1", 2)
    assert s.get("Folio", 1, "refcount") == 2 and s.get("Folio", 1, "lru") == 0
    assert s.get("Folio", 1, "extra_refs") == 1 and s.held(2) == set()


@drives("8.3.2")
@pytest.mark.parametrize("locked", [0, 1])
def test_8_3_2_only_a_trylock(locked: int) -> None:
    s = scene()
    s.put("Folio", 1, "locked", locked)
    s.after("8.3.1", 2)
    s.after("8.3.2", 2)
    if locked:
        s.until(2, "reclaimer")
        s.put("Folio", 1, "locked", 0)
        assert kept(s) and not s.saw("8.3.4"), "keep, without waiting"
    else:
        assert s.held(2) == LOCK and s.get("Folio", 1, "locked_by") == 2


@drives("8.3.3", "8.3.4")
@pytest.mark.parametrize(
    ("flags", "ptes", "referenced", "verdict", "referenced_after"),
    [
        ("VM_READ", 0, 0, RECLAIM, 0),
        ("VM_READ", 0, 1, RECLAIM, 0),
        ("VM_READ", 1, 0, KEEP, 1),
        ("VM_READ", 1, 1, ACTIVATE, 1),
        ("VM_READ | VM_EXEC", 1, 0, ACTIVATE, 1),
        ("VM_READ | VM_LOCKED", 1, 0, ACTIVATE, 0),
        ("VM_READ | VM_LOCKED", 0, 0, ACTIVATE, 0),
    ],
)
def test_8_3_3_and_4_what_the_accessed_bits_say(
    flags: str, ptes: int, referenced: int, verdict: int, referenced_after: int
) -> None:
    s = scene(flags)
    s.run(1)
    s.put("MM", 1, "pte_flags", ACCESSED if ptes else 0, 0)
    s.put("Folio", 1, "referenced", referenced)
    s.reach("8.3.3", 2)
    assert s.get("MM", 1, "pte_flags", 0) & ACCESSED == 0, "cleared by looking"
    assert s.held(2) == LOCK, "i_mmap_rwsem was only tried, and released"
    s.after("8.3.4", 2)
    assert s.local(2, "shrink_folio", "references") == verdict
    assert s.get("Folio", 1, "referenced") == referenced_after
    s.until(2, "reclaimer")
    assert cached(s, 0) == (verdict != RECLAIM)
    if verdict != RECLAIM:
        assert kept(s) and s.get("MM", 1, "pte", 0) == 1


TWO_VMAS = "VM_READ)\n    boot_map(mm, file, 8, 4, 0, VM_READ | VM_EXEC"


@drives("8.3.3", "8.3.4")
@pytest.mark.parametrize(("accessed", "verdict"), [(0b00, RECLAIM), (0b01, KEEP), (0b11, ACTIVATE)])
def test_8_3_4_counts_the_accessed_entries_of_all_vmas(accessed: int, verdict: int) -> None:
    """An executable mapping that was not used does not activate."""
    s = scene(TWO_VMAS)
    s.run(1)
    s.put("MM", 1, "pte", 1, 8)
    s.put("MM", 1, "page_table", s.get("MM", 1, "page_table") + 1)
    s.put("Folio", 1, "mapcount", 2)
    s.put("Folio", 1, "refcount", 3)
    for bit, address in enumerate((0, 8)):
        s.put("MM", 1, "pte_flags", ACCESSED if accessed >> bit & 1 else 0, address)
    s.after("8.3.4", 2)
    assert s.local(2, "shrink_folio", "references") == verdict
    assert s.get("MM", 1, "pte_flags", 0) == s.get("MM", 1, "pte_flags", 8) == 0


@drives("8.3.4")
@pytest.mark.parametrize(("mapped", "verdict"), [(True, KEEP), (False, RECLAIM)])
def test_8_3_4_does_not_wait_for_the_list_of_vmas(mapped: bool, verdict: int) -> None:
    s = scene()
    if mapped:
        s.run(1)
    s.put("RwSemaphore", s.semaphore("Mapping", "i_mmap_rwsem"), "writer", 1)
    s.put("Folio", 1, "referenced", 1)
    s.after("8.3.4", 2)
    assert s.local(2, "shrink_folio", "references") == verdict
    assert s.get("Folio", 1, "referenced") == 0, "forgotten all the same"
    assert s.get("MM", 1, "pte_flags", 0) == (ACCESSED if mapped else 0)


@drives("8.3.1")
def test_8_3_1_a_folio_that_left_the_lru_meanwhile_is_not_isolated() -> None:
    s = scene()
    s.reach("8.3.1", 2)
    s.put("Folio", 1, "lru", 0)
    s.after("8.3.1", 2)
    s.until(2, "reclaimer")
    assert s.get("Folio", 1, "refcount") == 1 and not s.saw("8.3.2")
    s = scene()
    s.choices["reclaim_folio"] = 0
    s.run(2)
    assert not s.saw("8.3.1") and cached(s, 0), "nothing is there to be isolated"
    s = scene()
    s.after("8.3.1", 2)


@drives("8.3.5")
def test_8_3_5_each_unmapped_entry_drops_a_reference() -> None:
    s = scene()
    s.run(1)
    s.put("MM", 1, "pte_flags", 0, 0)  # mapped, not used since
    s.reach("8.3.5", 2)
    assert (s.get("Folio", 1, "refcount"), s.get("Folio", 1, "mapcount")) == (3, 1)
    assert s.after("8.3.5", 2) == LOCK
    assert (s.get("Folio", 1, "refcount"), s.get("Folio", 1, "mapcount")) == (2, 0)
    assert s.get("MM", 1, "pte", 0) == 0


@drives("8.3.6")
@pytest.mark.parametrize(("field", "goes"), [("dirty", False), ("writeback", False), ("", True)])
def test_8_3_6_dirty_folios_and_writeback_stay(field: str, goes: bool) -> None:
    s = scene()
    s.reach("8.3.6", 2)
    if field:
        s.put("Folio", 1, field, 1)
    s.until(2, "reclaimer")
    assert cached(s, 0) != goes and s.saw("8.3.7") == goes
    assert goes or kept(s)


@drives("8.3.7")
def test_8_3_7_private_data_is_released_under_the_folio_lock() -> None:
    s = scene()
    s.reach("8.3.7", 2)
    assert s.held(2) == LOCK and s.get("Folio", 1, "mapcount") == 0
    s.after("8.3.7", 2)
    assert s.costs[-1] == ("filemap_release_folio", 1, 2) and s.held(2) == LOCK
    assert cached(s, 0)


@drives("8.3.8")
@pytest.mark.parametrize("why", ["", "reference", "dirty"])
def test_8_3_8_freezes_only_the_exact_count(why: str) -> None:
    s = scene()
    s.reach("8.3.8", 2)
    assert s.get("Folio", 1, "refcount") == 2, "nr and the isolation"
    if why == "reference":
        s.put("Folio", 1, "refcount", 3)
        s.put("Folio", 1, "extra_refs", 2)
    if why == "dirty":
        s.put("Folio", 1, "dirty", 1)
    s.step(2)
    if why:
        assert s.get("Mapping", 1, "pages", 0) == 1 and s.get("Folio", 1, "mapping") == 1
        s.until(2, "reclaimer")
        assert cached(s, 0) and s.get("Folio", 1, "lru") == 1 and s.held(2) == set()
    else:
        assert s.get("Mapping", 1, "pages", 0) == 0 and s.get("Folio", 1, "mapping") == 0
        assert s.get("Folio", 1, "refcount") == 1 and s.held(2) == LOCK, "the isolation's"


@drives("8.3.8")
def test_8_3_8_leaves_a_shadow_entry() -> None:
    s = scene()
    s.put("page_cache", 1, "shadow", 9)
    s.reach("8.3.8", 2)
    s.step(2)
    assert s.get("Mapping", 1, "pages", 0) == 9
    assert s.machine.call("filemap_is_cached", 1, 0) == 0, "nothing here, for a fault"


@drives("8.3.9")
def test_8_3_9_unlocks_and_frees() -> None:
    s = scene()
    s.reach("8.3.9", 2)
    assert s.get("Folio", 1, "refcount") == 1 and s.held(2) == LOCK
    assert s.after("8.3.9", 2) == set()
    assert s.get("Folio", 1, "refcount") == 0 and s.get("Folio", 1, "locked") == 0
    assert s.machine.get(("free", "Folio", 1)) == 0
    assert s.events_of("RECLAIM") == [(0, 0, 0)]


# ---- 8.4: read(2) --------------------------------------------------------------------------------


def error(s: Scene) -> int:
    """Did ksys_read fail?"""
    return s.get("Thread", 1, "signal_pending")


@drives("8.4.1")
@pytest.mark.parametrize("killed", [0, 1])
def test_8_4_1_a_fatal_signal_is_seen_first(killed: int) -> None:
    s = read_scene(cache=CACHED)
    s.reach("8.4.1", 1)
    s.put("Thread", 1, "fatal_signal_pending", killed)
    s.step(1)
    if killed:
        assert s.run(1) == "" and error(s) == 1 and s.held(1) == set()
        assert s.get("MM", 1, "pte_flags", 8) == 0 and not s.saw("8.4.2")
    else:
        s.reach("8.4.2", 1)
        assert s.held(1) == set()


@drives("8.4.2")
@pytest.mark.parametrize(("cache", "held"), [(CACHED, {"folio"}), ("pass", set())])
def test_8_4_2_collects_with_a_reference(cache: str, held: set[str]) -> None:
    s = read_scene(cache=cache)
    assert s.after("8.4.2", 1) == held
    assert s.local(1, "filemap_get_pages", "folio") == len(held)


@drives("8.4.2")
def test_8_4_2_the_batch_ends_at_a_mark_or_a_folio_that_is_not_uptodate() -> None:
    cache = "\n    ".join(f"boot_cache(mapping, {i}, 0)" for i in range(3))
    s = read_scene(call="ksys_read(the_file(), 0, 3, 8)", cache=cache)
    s.reach("8.4.2", 1)
    batch = [s.machine.call("filemap_get_read_batch", 1, 0, 3)]
    s.machine.call("folio_put", 3)
    for field, value in (("readahead", 1), ("uptodate", 0)):
        s.put("Folio", 2, field, value)
        batch.append(s.machine.call("filemap_get_read_batch", 1, 0, 3))
        s.machine.call("folio_put", 2)
        s.put("Folio", 2, field, 1 - value)
    s.step(1)
    assert batch == [3, 2, 2]


@drives("8.4.3")
def test_8_4_3_readahead_takes_invalidate_lock_inside_only() -> None:
    s = read_scene(ra=4)
    s.reach("8.4.3", 1)
    assert s.held(1) == set() and s.get("Mapping", 1, "pages", 0) == 0
    s.until(1, "filemap_alloc_folio")
    assert s.held(1) == {"invalidate_lock read"}
    s.until(1, "filemap_get_pages")
    assert s.held(1) == set() and len(s.events_of("IO_SUBMIT")) == 1
    first = s.get("Mapping", 1, "pages", 0)
    assert s.get("Folio", first, "locked") == 1 and s.get("Folio", first, "locked_by") == 0


@drives("8.4.4")
def test_8_4_4_the_mark_starts_the_next_window_and_goes() -> None:
    s = read_scene(cache=MARKED, ra=2)
    s.put("File", 1, "ra_size", 1)
    s.put("File", 1, "ra_async_size", 1)
    s.reach("8.4.4", 1)
    assert s.held(1) == {"folio"} and s.events_of("IO_SUBMIT") == []
    assert s.after("8.4.4", 1) == {"folio"}
    assert s.get("Folio", 1, "readahead") == 0 and len(s.events_of("IO_SUBMIT")) == 1
    s.run(2)
    assert s.run(1) == "" and not error(s)


@drives("8.4.5")
@pytest.mark.parametrize("now", ["uptodate", "truncated", "locked", ""])
def test_8_4_5_under_invalidate_lock_look_again(now: str) -> None:
    """Somebody read it; truncated it; has it locked; or it is ours to read."""
    s = read_scene(cache=NOT_UPTODATE)
    s.reach("8.4.5", 1)
    assert s.held(1) == {"folio"}
    assert s.after("8.4.5", 1) == {"folio", "invalidate_lock read"}
    if now == "uptodate":
        s.put("Folio", 1, "uptodate", 1)
        s.until(1, "filemap_get_pages")
        assert s.held(1) == {"folio"} and s.events_of("IO_SUBMIT") == []
    elif now == "truncated":
        s.put("Folio", 1, "mapping", 0)
        s.put("Mapping", 1, "pages", 0, 0)
        s.put("Folio", 1, "refcount", 1)
        s.until(1, "filemap_get_pages")
        assert s.held(1) == set() and s.get("Folio", 1, "refcount") == 0
        s.reach("8.4.1", 1)
    elif now == "locked":
        s.put("Folio", 1, "locked", 1)
        assert s.run(1).startswith("folio_put_wait_locked_killable")
        assert s.held(1) == set() and s.get("Folio", 1, "refcount") == 1
        s.put("Thread", 1, "fatal_signal_pending", 1)
        assert s.run(1) == "" and error(s) == 1, "killable"
    else:
        assert s.run(1).startswith("folio_wait_bit_common")
        assert s.held(1) == {"folio", "invalidate_lock read"}
        s.run(2)
        s.until(1, "filemap_get_pages")
        assert s.held(1) == {"folio"} and s.get("Folio", 1, "uptodate") == 1


@drives("8.4.6")
@pytest.mark.parametrize("size", [4, 0])
def test_8_4_6_size_check_copy_reference_dropped(size: int) -> None:
    s = read_scene(cache=CACHED)
    s.reach("8.4.6", 1)
    assert s.held(1) == {"folio"}
    s.put("Mapping", 1, "i_size", size)
    if size:
        s.until(1, "handle_mm_fault")
        assert s.held(1) == {"folio", "mmap_lock read"}, "the copy faults, in mmap_lock mode"
    assert s.run(1) == "" and s.held(1) == set()
    assert s.get("Folio", 1, "refcount") == 1
    assert (s.get("MM", 1, "pte_flags", 8) != 0) == bool(size)
    assert (("copy_page", 1, 1) in s.costs) == bool(size)

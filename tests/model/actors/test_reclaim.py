# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.3: reclaim of a clean page cache folio."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.table import drives

BODY = '''
@setup
def start():
    """Two cached pages, mapped by one VMA."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 4, 0, {flags})
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("T1")
def toucher():
    touch(0, False, True)
    touch(1, False, True)


@thread("T2")
def reclaimer():
    {call}
    {call}
    {call}
'''
ACCESSED, PRIVATE = 1, 4


def scene(flags: str = "VM_READ", call: str = "reclaim_once()", **parameters: int) -> Scene:
    s = Scene(BODY.format(flags=flags, call=call), 2, **parameters)
    s.choices["reclaim_folio"] = 1
    return s


def cached(s: Scene, index: int) -> bool:
    return s.get("Mapping", 1, "pages", index) != 0


@drives("8.3.1", "8.3.2", "8.3.3", "8.3.4", "8.3.7", "8.3.8", "8.3.9")
def test_a_folio_that_was_never_mapped_goes_at_the_first_scan() -> None:
    s = scene()
    s.after("8.3.1", 2)
    assert s.get("Folio", 1, "refcount") == 2, "isolation holds a reference"
    assert s.get("Folio", 1, "lru") == 0
    s.reach("8.3.4", 2)
    assert s.saw("8.3.2")
    assert s.held(2) == {"folio lock"}
    assert s.after("8.3.3", 2) == {"folio lock"}
    assert s.after("8.3.7", 2) == {"folio lock"}
    s.reach("8.3.9", 2)
    assert s.saw("8.3.8")
    assert s.held(2) == {"folio lock"}
    assert not cached(s, 0)
    assert s.after("8.3.9", 2) == set()
    assert s.get("Folio", 1, "refcount") == 0
    s.assert_balanced()


@drives("8.3.4", "8.3.5")
def test_an_accessed_pte_buys_one_more_round() -> None:
    s = scene()
    s.run(1)
    s.after("8.3.4", 2)
    assert s.get("MM", 1, "pte_flags", 0) & ACCESSED == 0, "the accessed bit is cleared"
    s.until(2, "reclaimer")
    assert cached(s, 0)
    assert s.after("8.3.5", 2) == {"folio lock"}
    assert s.get("MM", 1, "pte", 0) == 0
    assert s.get("Folio", 1, "mapcount") == 0
    s.until(2, "reclaimer")
    assert not cached(s, 0)
    s.assert_balanced()


@pytest.mark.parametrize("flags", ["VM_READ | VM_RAND_READ", "VM_READ | VM_SEQ_READ"])
@drives("8.3.9")
def test_random_and_sequential_mappings_have_no_recency(flags: str) -> None:
    s = scene(flags)
    s.run(1)
    s.after("8.3.9", 2)
    assert not cached(s, 0)


@drives("8.3.2")
def test_a_locked_folio_is_kept() -> None:
    s = scene()
    s.put("Folio", 1, "locked", 1)
    s.after("8.3.2", 2)
    s.until(2, "reclaimer")
    assert cached(s, 0)
    assert s.get("Folio", 1, "lru") == 1
    assert s.held(2) == set()


@drives("8.3.8")
def test_a_reference_of_somebody_else_keeps_the_folio() -> None:
    s = scene()
    s.put("Folio", 1, "refcount", 2)
    s.put("Folio", 1, "extra_refs", 1)
    s.put("Folio", 2, "refcount", 1)
    with pytest.raises(AssertionError, match=r"8\.3\.9 is not reached"):
        s.reach("8.3.9", 2)
    assert s.saw("8.3.8")
    assert cached(s, 0)
    s.assert_balanced()


@drives("8.3.6")
def test_a_dirty_folio_is_not_freed_here() -> None:
    s = scene()
    s.put("Folio", 1, "dirty", 1)
    s.after("8.3.6", 2)
    s.run(2)
    assert cached(s, 0)
    assert not s.saw("8.3.8")
    s.assert_balanced()


def test_a_folio_of_a_locked_mapping_is_kept() -> None:
    s = scene("VM_READ | VM_LOCKED")
    s.run(1)
    s.run(2)
    assert cached(s, 0)
    assert s.get("MM", 1, "pte", 0) == 1
    s.assert_balanced()


def test_reclaim_takes_no_mmap_lock() -> None:
    s = scene()
    s.run(1)
    while s.step(2):
        assert not any(word.startswith("mmap_lock") for word in s.held(2))
    s.assert_balanced()


def test_lru_order_the_oldest_goes_first() -> None:
    s = scene(call="try_to_free_pages()", LRU=1)
    s.run(2)
    assert not cached(s, 0) and not cached(s, 1)
    removed = [entry for entry in s.seen if entry[1] == "shrink_folio_list.py"]
    assert removed
    s.assert_balanced()


@drives("8.3.1")
def test_two_lists_a_page_used_twice_is_activated_and_survives_longer() -> None:
    s = scene(call="try_to_free_pages()", LRU=2)
    s.put("Folio", 1, "referenced", 1)
    s.run(1)
    s.reach("8.3.1", 2)
    assert s.get("lruvec", 1, "nr_inactive") == 2
    s.run(2)
    assert s.get("lruvec", 1, "nr_active") + s.get("lruvec", 1, "nr_inactive") == (
        cached(s, 0) + cached(s, 1)
    )
    s.assert_balanced()


def test_a_page_evicted_recently_comes_back_active() -> None:
    s = scene(call="try_to_free_pages()", LRU=2)
    s.put("lruvec", 1, "nr_active", 3)
    age = s.get("lruvec", 1, "nonresident_age")
    s.machine.call("workingset_refault", 1, 1, 0, 0)
    assert s.get("Folio", 1, "active") == 1
    assert s.get("lruvec", 1, "nonresident_age") == age + 1
    s.put("lruvec", 1, "nonresident_age", 100)
    s.machine.call("workingset_refault", 1, 2, 0, 0)
    assert s.get("Folio", 2, "active") == 0, "evicted too long ago"


def test_kswapd_sleeps_until_memory_is_short() -> None:
    s = scene(call="kswapd()", LRU=1, MEMORY_PAGES=4, KSWAPD_LOW_PAGES=2, KSWAPD_HIGH_PAGES=4)
    assert s.get("memory", 1, "used_pages") == 2
    assert s.run(2).startswith("kswapd: wait")
    s.machine.call("memory_charge", 1)
    s.machine.call("wakeup_kswapd")
    assert s.run(2).startswith("kswapd: wait")
    assert s.get("memory", 1, "used_pages") == 2, "one page went, one was charged"
    assert cached(s, 0) + cached(s, 1) == 1, "half of a list of two at priority 1"


def test_each_round_asks_for_the_full_number_of_pages_again() -> None:
    s = scene(call="try_to_free_pages()", LRU=2)
    asked = []
    for _ in range(13):
        s.until(2, "shrink_lruvec")
        asked.append(s.local(2, "shrink_lruvec", "nr_to_reclaim"))
        s.step(2)
        s.until(2, "shrink_priorities")
    assert asked == [32] * 13
    assert not cached(s, 0) and not cached(s, 1), "one went in the last round but one"


def test_a_large_folio_comes_back_as_one() -> None:
    """filemap_add_folio() asks workingset_refault() once, about the last page that was evicted."""
    s = scene(LRU=2, N_FOLIOS=8)
    s.put("Mapping", 1, "uses_invalidate_lock", 0)
    s.put("page_cache", 1, "shadow", 8)
    for index in (2, 3):
        s.put("Mapping", 1, "pages", 8, index)
    s.put("lruvec", 1, "nr_active", 3)
    age = s.get("lruvec", 1, "nonresident_age")
    folio = s.machine.call("folio_from_pages", 2, 1)
    assert s.machine.call("filemap_add_folio", 1, folio, 2)
    assert s.get("Folio", folio, "active") == 1
    assert s.get("lruvec", 1, "nonresident_age") == age + 2, "two pages, once"


def test_above_one_gib_the_active_list_may_be_the_longer_one() -> None:
    s = scene(LRU=2, N_FOLIOS=2000)
    for inactive, active, low in (
        (100_000, 100_001, 1),  # below 1 GiB: 1 to 1
        (150_000, 300_000, 0),  # above: int_sqrt(10) to 1
        (100_000, 300_001, 1),
        (200_000, 799_999, 0),  # 3 GiB: int_sqrt(30) to 1
    ):
        s.put("lruvec", 1, "nr_inactive", inactive)
        s.put("lruvec", 1, "nr_active", active)
        assert s.machine.call("inactive_is_low") == low, (inactive, active)


def test_a_flush_goes_to_as_many_other_cpus_as_there_are_threads() -> None:
    s = scene(N_CPUS=4)
    for users, others in ((1, 0), (3, 2), (4, 3)):
        s.put("MM", 1, "users", users)
        assert s.machine.call("other_cpus_of", 1) == others
    assert scene(N_CPUS=2).machine.call("other_cpus_of", 1) == 1, "two threads, two CPUs"

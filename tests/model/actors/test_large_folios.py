# SPDX-License-Identifier: GPL-2.0-only
"""Reclaim of large folios: lists and locks count folios, /proc/vmstat counts pages."""

from tests.model.actors.scene import Scene

BODY = '''
@setup
def start():
    """A folio of four pages, one of one page, one of two; never mapped."""
    mm = boot_mm()
    mapping = boot_mapping(8)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 8, 0, VM_READ)
    mapping.max_order = 9
    boot_cache(mapping, 0, 2)
    boot_cache(mapping, 4, 0)
    boot_cache(mapping, 6, 1)


@thread("T1")
def reclaimer():
    shrink_inactive_list(32, False)


@atomic
def count_folios(nr: int):
    for mapping in each(Mapping):
        machine.herd = nr_folios(mapping, 0, nr)


@thread("T2")
def counter():
    count_folios(5)


@thread("T3")
def user():
    touch(1, False, True)
    __vm_munmap(0, 8)


@thread("T4")
def allocator():
    filemap_alloc_folio(0, 2, True)


@thread("T5")
def deactivator():
    folio_activate_all()
    touch(1, False, True)
    __vm_munmap(0, 8)
    shrink_active_list(32)


@atomic
def folio_activate_all():
    for folio in each(Folio):
        if folio.lru:
            folio_activate(folio)
'''
SIZES = {
    "N_FILE_PAGES": 8, "N_ADDRESS_PAGES": 8, "N_FOLIOS": 4, "LRU": 2, "LARGE_FOLIOS": 1, "TLB": 1,
    "FAULT_AROUND_PAGES": 16,
}  # fmt: skip


def scene() -> Scene:
    return Scene(BODY, 5, **SIZES)


def pages(s: Scene, event: str) -> list[int]:
    return [arguments[0] for arguments in s.events_of(event)]


def test_the_lru_lock_is_held_for_each_folio() -> None:
    s = scene()
    assert s.machine.call("folios_at_tail", False, 32) == 3
    assert s.machine.call("folios_at_tail", False, 4) == 1, "the oldest has four pages"
    assert s.machine.call("folios_at_tail", False, 5) == 2
    assert s.machine.call("folios_at_tail", True, 32) == 0


def test_a_window_of_large_folios_is_counted_in_folios() -> None:
    s = scene()
    s.run(2)
    assert s.get("machine", 1, "herd") == 2, "four pages in one folio, and one more"


def test_scanned_and_stolen_are_pages() -> None:
    s = scene()
    s.run(1)
    assert pages(s, "PGSCAN_DIRECT") == [4, 1, 2]
    assert pages(s, "PGSTEAL_DIRECT") == [4, 1, 2]
    assert s.get("lruvec", 1, "nr_inactive") == 0


def cost(s: Scene, name: str, thread: int) -> int:
    return sum(n for one, n, who in s.costs if one == name and who == thread)


def test_a_new_large_folio_costs_one_folio_and_its_further_pages() -> None:
    s = scene()
    s.run(4)
    assert (cost(s, "filemap_alloc_folio", 4), cost(s, "prep_compound_tail", 4)) == (1, 3)


def test_the_entries_of_a_folio_are_set_and_emptied_together() -> None:
    s = scene()
    s.run(3)
    assert cost(s, "map_candidate", 3) == 3, "folios of four, one and two pages"
    assert (cost(s, "map_page", 3), cost(s, "set_ptes", 3)) == (3, 4), "seven entries"
    assert (cost(s, "zap_pte", 3), cost(s, "zap_ptes", 3)) == (3, 4)


def test_each_entry_of_a_folio_is_looked_at_for_its_accessed_bit() -> None:
    s = scene()
    s.until(3, "__vm_munmap")
    s.run(1)
    assert (cost(s, "folio_referenced", 1), cost(s, "clear_young", 1)) == (3, 4)


def test_a_folio_that_is_not_mapped_has_no_entries_to_look_at() -> None:
    s = scene()
    s.run(5)
    assert cost(s, "zap_ptes", 5) == 4, "what the last walk found"
    assert (cost(s, "folio_referenced", 5), cost(s, "clear_young", 5)) == (3, 0)

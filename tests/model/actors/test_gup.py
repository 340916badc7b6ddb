# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.10: get_user_pages, populate, mlock; 1.4: the FOLL bits."""

import pytest

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = (
    '''
@setup
def start():
    """A file of four cold pages mapped at 0..3, private and writable."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, {ra})
    boot_map(mm, file, 0, 4, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    {cache}


@atomic
def keep(result: int):
    machine.herd = result


@thread("T1")
def caller():
    {call}


@thread("T2")
def other():
    vm_mmap_pgoff(None, 12, 1, 0, VM_READ, False)
'''
    + DISK
)
PAGES = (
    "result: int = get_user_pages_unlocked(0, {n}, {flags})\n    keep(result)\n    gup_put_page()"
)


def scene(
    call: str, ra: int = 2, policy: str = "", cache: str = "pass", **parameters: int
) -> Scene:
    body = BODY.format(call=call, ra=ra, cache=cache)
    return Scene(body, 3, policy, **parameters)


def pages(n: int = 1, flags: str = "FOLL_GET", policy: str = "") -> Scene:
    return scene(PAGES.format(n=n, flags=flags), policy=policy)


def result(s: Scene) -> int:
    return s.get("machine", 1, "herd")


@drives("8.10.1", "8.10.2", "8.10.3", "8.10.6", "8.10.7", "8.10.8", "8.10.9")
def test_retry_releases_mmap_lock_and_the_redo_has_tried() -> None:
    s = pages(2)
    s.after("8.10.1", 1)
    s.after("8.10.2", 1)
    assert s.held(1) == {"mmap_lock read"}
    assert s.run(1).startswith("folio_wait_bit_common")
    assert "mmap_lock read" not in s.held(1), "released around the I/O"
    assert s.run(2) == "", "so a writer gets in"
    s.run(3)
    assert s.after("8.10.3", 1) == set()
    assert s.get("Thread", 1, "gup_locked") == 0
    assert s.after("8.10.6", 1) == set()
    s.after("8.10.7", 1)
    assert s.held(1) == {"mmap_lock read"}
    s.reach("8.10.8", 1)
    s.until(1, "handle_mm_fault")
    assert s.local(1, "handle_mm_fault", "flags") & 0x20, "TRIED"
    s.after("8.10.9", 1)
    assert s.run(1) == ""
    assert result(s) == 2
    s.assert_balanced()


@drives("8.10.5")
def test_nowait_stops_with_the_lock_held_and_no_error() -> None:
    s = pages(1, "FOLL_GET | FOLL_NOWAIT")
    s.reach("8.10.5", 1)
    assert s.held(1) == {"mmap_lock read"}
    s.after("8.10.5", 1)
    assert s.get("Thread", 1, "gup_locked") == 1
    assert s.run(1) == ""
    assert result(s) == 0
    s.run(3)
    s.assert_balanced()


def test_hold_ignores_nowait() -> None:
    """Defect D3: property S6 catches it."""
    s = pages(1, "FOLL_GET | FOLL_NOWAIT", policy="hold")
    with pytest.raises(AssertionError, match="S6"):
        s.run(1)


@drives("8.10.4")
def test_completed_takes_the_lock_again() -> None:
    call = PAGES.format(n=1, flags="FOLL_GET | FOLL_WRITE")
    s = scene(call, DIRTY_EXCEEDED=1, cache="boot_cache(mapping, 0, 0)")
    s.put("VMA", 1, "vm_flags", s.get("VMA", 1, "vm_flags") | 8)
    assert s.after("8.10.4", 1) == set(), "mmap_lock was released to throttle the writer"
    s.run(1)
    assert result(s) == 1
    s.assert_balanced()


def test_a_fatal_signal_ends_gup() -> None:
    s = pages(1)
    s.run(1)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    assert s.run(1) == ""
    assert result(s) == -4
    assert s.held(1) == set()


def test_interruptible_also_ends_on_an_ordinary_signal() -> None:
    for flags, expected in (("FOLL_GET", 1), ("FOLL_GET | FOLL_INTERRUPTIBLE", -4)):
        s = pages(1, flags)
        s.run(1)
        s.put("Thread", 1, "signal_pending", 1)
        s.run(3)
        assert s.run(1) == ""
        assert result(s) == expected


def test_no_mapping_no_permission_no_fault() -> None:
    s = scene("result: int = get_user_pages_unlocked(9, 1, FOLL_GET)\n    keep(result)")
    s.run(1)
    assert result(s) == -14
    s = pages(1, "FOLL_GET | FOLL_NOFAULT")
    s.run(1)
    assert result(s) == -14
    s = pages(1, "FOLL_GET | FOLL_WRITE")
    s.put("VMA", 1, "vm_flags", 1)
    s.run(1)
    assert result(s) == -14
    assert s.held(1) == set()


def test_a_page_handed_out_keeps_its_folio() -> None:
    s = scene("result: int = get_user_pages_unlocked(0, 1, FOLL_GET)\n    keep(result)")
    s.run(1)
    s.run(3)
    assert s.run(1) == ""
    folio = s.get("Thread", 1, "gup_folio")
    assert s.get("Folio", folio, "extra_refs") == 1
    assert s.get("Folio", folio, "refcount") == 3, "page cache, PTE, caller"


def test_write_breaks_copy_on_write() -> None:
    s = pages(1, "FOLL_GET | FOLL_WRITE")
    s.run(1)
    s.run(3)
    assert s.run(1) == ""
    assert s.get("MM", 1, "pte_flags", 0) & 4
    s.assert_balanced()


@drives("8.10.10", "8.10.11")
def test_populate_gives_writers_a_chance_between_pages() -> None:
    s = scene("__mm_populate(0, 4, False)", ra=0)
    assert s.after("8.10.10", 1) == {"mmap_lock read"}
    s.reach("8.10.11", 1)
    for _ in range(20):
        if s.run(1) == "":
            break
        assert "mmap_lock read" not in s.held(1)
        s.run(3)
    assert s.where(1) == ""
    assert all(s.get("MM", 1, "pte_flags", page) & 4 for page in range(4))
    s.assert_balanced()


def test_populate_under_hold_keeps_mmap_lock_over_all_pages() -> None:
    """Defect D7."""
    s = scene("__mm_populate(0, 4, False)", ra=0, policy="hold")
    waits = 0
    while s.run(1) != "":
        waits += 1
        assert "mmap_lock read" in s.held(1)
        s.run(2)
        s.run(3)
    assert waits >= 4
    s.assert_balanced()


def test_populate_read_of_madvise() -> None:
    s = scene("do_madvise(0, 4, MADV_POPULATE_READ)", ra=0)
    for _ in range(20):
        if s.run(1) == "":
            break
        s.run(3)
    assert s.where(1) == ""
    assert all(s.get("MM", 1, "pte", page) for page in range(4))
    s.assert_balanced()


def test_fixup_user_fault_comes_back_with_the_lock() -> None:
    lines = (
        "mmap_read_lock(current.mm)",
        "fixup_user_fault(0, False)",
        "mmap_read_unlock(current.mm)",
    )
    s = scene("\n    ".join(lines))
    s.run(1)
    s.run(3)
    assert s.run(1) == ""
    assert s.get("MM", 1, "pte", 0) != 0
    s.assert_balanced()

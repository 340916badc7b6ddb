# SPDX-License-Identifier: GPL-2.0-only
"""Spec 8.4: buffered read(2), and 8.13: the fault of a write's source buffer."""

from tests.model.actors.scene import DISK, Scene
from tests.model.table import drives

BODY = (
    '''
@setup
def start():
    """A file of four pages, an anonymous page at address 8."""
    mm = boot_mm()
    mapping = boot_mapping(4)
    file = boot_file(mapping, {ra})
    boot_map(mm, file, 0, 4, 0, VM_READ)
    boot_map(mm, None, 8, 2, 0, VM_READ | VM_WRITE)
    {cache}


@atomic
def the_file() -> File:
    for file in each(File):
        return file
    return None


@thread("T1")
def reader():
    error: errno_t = {call}
    hold(error)


@atomic
def hold(error: errno_t):
    current.signal_pending = error != 0
'''
    + DISK
)

RECLAIMER = """

@thread("T3")
def reclaimer():
    reclaim_once()
"""


def scene(
    call: str = "ksys_read(the_file(), 0, 1, 8)",
    cache: str = "pass",
    ra: int = 0,
    extra: str = "",
    **parameters: int,
) -> Scene:
    threads = 3 if extra else 2
    s = Scene(BODY.format(call=call, cache=cache, ra=ra) + extra, threads, **parameters)
    s.choices["reclaim_folio"] = 1
    return s


@drives("8.4.1", "8.4.2", "8.4.6")
def test_a_cached_page_is_copied_at_once() -> None:
    s = scene(cache="boot_cache(mapping, 0, 0)")
    s.after("8.4.1", 1)
    assert s.after("8.4.2", 1) == {"folio"}
    s.reach("8.4.6", 1)
    assert s.held(1) == {"folio"}
    s.until(1, "fault_with_mmap_lock")
    assert "folio" in s.held(1), "the copy faults with a reference"
    assert "folio lock" not in s.held(1)
    assert s.run(1) == ""
    assert not s.saw("8.4.3")
    assert s.get("MM", 1, "pte_flags", 8) != 0, "the destination was faulted in"
    s.assert_balanced()


@drives("8.4.3")
def test_a_page_that_readahead_lost_again_is_created_and_read() -> None:
    """Reclaim takes the page between readahead and the second lookup."""
    s = scene(extra=RECLAIMER)
    s.after("8.4.3", 1)
    s.run(2)
    assert s.run(3) == ""
    assert s.get("Mapping", 1, "pages", 0) == 0
    assert s.run(1).startswith("folio_wait_bit_common")
    assert "filemap_create_read_folio" in s.stack(1)
    assert s.held(1) == {"folio", "invalidate_lock read"}
    s.run(2)
    assert s.run(1) == ""
    assert s.get("Thread", 1, "signal_pending") == 0
    assert s.get("Thread", 1, "signal_pending") == 0
    s.assert_balanced()


@drives("8.4.5")
def test_readahead_then_wait_for_it_without_a_reference() -> None:
    s = scene(ra=4)
    assert s.run(1).startswith("folio_put_wait_locked_killable")
    assert s.saw("8.4.5")
    assert s.held(1) == set(), "neither the reference nor invalidate_lock"
    s.run(2)
    assert s.run(1) == ""
    s.assert_balanced()


@drives("8.4.4")
def test_a_marked_folio_starts_the_next_window() -> None:
    cache = "folio = boot_cache(mapping, 0, 0)\n    folio.readahead = True"
    s = scene(cache=cache, ra=2)
    s.after("8.4.4", 1)
    assert s.get("Folio", 1, "readahead") == 0
    s.run(2)
    assert s.run(1) == ""
    s.assert_balanced()


@drives("8.4.5")
def test_a_page_that_is_not_uptodate_is_read_under_invalidate_lock() -> None:
    cache = "folio = boot_cache(mapping, 0, 0)\n    folio.uptodate = False"
    s = scene(cache=cache)
    assert s.after("8.4.5", 1) == {"folio", "invalidate_lock read"}
    s.run(1)
    s.run(2)
    assert s.run(1) == ""
    assert s.get("Folio", 1, "uptodate") == 1
    s.assert_balanced()


def test_a_fatal_signal_ends_the_wait() -> None:
    s = scene()
    s.run(1)
    s.put("Thread", 1, "fatal_signal_pending", 1)
    assert s.run(1) == ""
    assert s.get("Thread", 1, "signal_pending") == 1, "-EINTR"
    assert s.held(1) == set()


@drives("8.4.6")
def test_reading_beyond_the_end_copies_nothing() -> None:
    s = scene(call="ksys_read(the_file(), 0, 1, 8)", cache="boot_cache(mapping, 0, 0)")
    s.reach("8.4.6", 1)
    s.put("Mapping", 1, "i_size", 0)  # truncated meanwhile
    assert s.run(1) == ""
    assert s.get("MM", 1, "pte_flags", 8) == 0
    s.assert_balanced()


def test_a_write_faults_its_source_under_i_rwsem() -> None:
    s = scene(call="generic_perform_write(the_file(), 1, 0)")
    s.until(1, "filemap_fault")
    assert s.held(1) == {"i_rwsem", "mmap_lock read"}
    s.run(1)
    s.run(2)
    s.run(1)
    s.run(2)
    assert s.run(1) == ""
    written = s.get("Mapping", 1, "pages", 1)
    assert s.get("Folio", written, "dirty") == 1
    s.assert_balanced()

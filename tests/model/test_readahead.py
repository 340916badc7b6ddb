# SPDX-License-Identifier: GPL-2.0-only
"""Readahead as faults use it (spec 7): windows, marks, mmap_miss, the rules of each kernel."""

from __future__ import annotations

import pytest

from tests.model.run import Run, vm_flags

SCENE = """
N_FOLIOS: Param = 1300
N_FILE_PAGES: Param = 1200
N_ADDRESS_PAGES: Param = 1200
MAX_WINDOW_PAGES: Param = 1024
MAX_REFCOUNT: Param = 2000
N_REQUESTS: Param = 64
FAULT_AROUND_PAGES: Param = 16

RA_PAGES: Param = 32
VMA_FLAGS: Param = 1
MAX_ORDER: Param = 0

@setup
def start():
    mm = boot_mm()
    mapping = boot_mapping(1000)
    mapping.max_order = MAX_ORDER
    file = boot_file(mapping, RA_PAGES)
    boot_map(mm, file, 0, 1000, 0, VMA_FLAGS)
{more}

@thread("T1")
def toucher():
    while True:
        page = choose(0, N_ADDRESS_PAGES, "page")
        touch(page, False, True)

@thread("disk", daemon=True)
def disk():
    blk_done()
"""


def scene(policy: str = "drop-retry", ra: int = 32, flags: str = "VM_READ",
          max_order: int = 0, more: str = "", **parameters: int) -> Run:
    return Run(SCENE.format(more=more), policy, RA_PAGES=ra, VMA_FLAGS=vm_flags(flags),
               MAX_ORDER=max_order, **parameters)


def touch(run: Run, page: int, disk: bool = True) -> None:
    """Thread 1 touches a page, to the end (or to its sleep when the disk does not answer)."""
    run.events.clear()
    pages = [page]
    run.choices["page"] = lambda thread: pages.pop() if pages else -1
    for _ in range(8):
        run.go(1)
        if disk:
            run.go(2)


def reads(run: Run) -> list[tuple[int, int]]:
    """(start, pages) of the reads that were submitted."""
    return [(record[2], record[3]) for record in run.events if record[0] == "IO_SUBMIT"]


def windows(run: Run) -> list[tuple[int, int, int]]:
    """(start, size, async_size) of the windows that were tried."""
    return [record[1:4] for record in run.events if record[0] == "READAHEAD"]


def mapped(run: Run) -> set[int]:
    return {i for i in range(1200) if run.get("MM", 1, "pte", i)}


def marks(run: Run) -> set[int]:
    """Indexes of cached folios with the readahead mark."""
    return {
        run.get("Folio", i, "index")
        for i in range(1, 1301)
        if run.get("Folio", i, "mapping") and run.get("Folio", i, "readahead")
    }


# ---- the worked example of 7.4 ----------------------------------------------


def test_sequential_touching_drop() -> None:
    run = scene(KERNEL_VERSION=612)
    touch(run, 0)
    assert reads(run) == [(0, 32)] and marks(run) == {24}
    assert mapped(run) == set(range(16)), "the redo's fault-around"
    touch(run, 16)
    assert reads(run) == [] and mapped(run) == set(range(32)) - {24}
    touch(run, 24)
    assert windows(run) == [(32, 32, 32)] and reads(run) == [(32, 32)]
    assert marks(run) == {32} and run.count("VMA_LOCK_RETRY") == 1
    touch(run, 32)
    assert reads(run) == [(64, 32)] and marks(run) == {64}
    for page in range(33, 64):
        touch(run, page)
        assert reads(run) == []
    touch(run, 64)
    assert reads(run) == [(96, 32)]


def test_sequential_touching_hold() -> None:
    run = scene("hold", KERNEL_VERSION=612)
    touch(run, 0)
    assert reads(run) == [(0, 32)] and mapped(run) == {0}, "no redo, no fault-around"
    touch(run, 24)
    assert reads(run) == [(32, 32)] and run.count("VMA_LOCK_RETRY") == 0
    assert run.count("VMA_LOCK_SUCCESS") == 1


def test_next_window_still_in_flight_waits() -> None:
    run = scene(KERNEL_VERSION=612)
    touch(run, 0)
    touch(run, 24, disk=False)
    assert run.count("MIN_FLT") == 1, "24 itself is there"
    touch(run, 32, disk=False)
    assert "invalidate_lock" in run.holds(1)
    assert run.where(1).startswith("folio_wait_bit_common")


# ---- windows after a miss (7.3) ----------------------------------------------


@pytest.mark.parametrize("page, window, mark", [(100, (84, 32), 108), (5, (0, 32), 24)])
def test_read_around(page: int, window: tuple[int, int], mark: int) -> None:
    run = scene(KERNEL_VERSION=612)
    touch(run, page)
    assert reads(run) == [window] and marks(run) == {mark}


def test_read_around_is_clipped_to_the_end_of_the_file() -> None:
    run = scene(KERNEL_VERSION=612)
    touch(run, 995)
    assert reads(run) == [(979, 21)]
    assert marks(run) == {992}, "async_size is counted back from the clipped end"


@pytest.mark.parametrize("flags, ra", [("VM_READ | VM_RAND_READ", 32), ("VM_READ", 0)])
def test_no_readahead_reads_one_page(flags: str, ra: int) -> None:
    run = scene(flags=flags, ra=ra)
    touch(run, 100)
    assert reads(run) == [(100, 1)] and windows(run) == []
    assert run.get("File", 1, "mmap_miss") == 0


@pytest.mark.parametrize(
    "version, expected", [(612, [(84, 32)]), (618, [(100, 32)]), (700, [(100, 32)])]
)
def test_executable_window_since_6_17(version: int, expected: list[tuple[int, int]]) -> None:
    run = scene(flags="VM_READ | VM_EXEC", KERNEL_VERSION=version)
    touch(run, 100)
    assert reads(run) == expected
    assert (marks(run) == set()) == (version >= 617)


def test_executable_window_ends_with_the_vma() -> None:
    run = scene(flags="VM_READ | VM_EXEC", KERNEL_VERSION=618)
    run.set("VMA", 1, "vm_end", 110)
    touch(run, 100)
    assert reads(run) == [(100, 10)]


@pytest.mark.parametrize("version", [612, 700])
def test_executable_and_random(version: int) -> None:
    run = scene(flags="VM_READ | VM_EXEC | VM_RAND_READ", KERNEL_VERSION=version)
    touch(run, 100)
    assert reads(run) == ([(100, 1)] if version < 617 else [(100, 32)])


def test_sequential_advice() -> None:
    run = scene(flags="VM_READ | VM_SEQ_READ", ra=64)
    touch(run, 0)
    assert windows(run) == [(0, 64, 32)], "init(64, 64) = 64; async_size = size / 2"
    assert run.get("File", 1, "mmap_miss") == 0
    run = scene(flags="VM_READ | VM_SEQ_READ", ra=64)
    touch(run, 100)
    assert reads(run) == [(100, 64)] and windows(run) == [], "a standalone read: no window"


@pytest.mark.parametrize("rand, reading", [("", [(512, 488)]), (" | VM_RAND_READ", [(512, 488)])])
def test_huge_advice(rand: str, reading: list[tuple[int, int]]) -> None:
    run = scene(flags="VM_READ | VM_HUGEPAGE" + rand, KERNEL_VERSION=612, MAX_BIO_PAGES=1024)
    touch(run, 600)
    size = 512 if rand else 1024
    assert windows(run) == [(512, size, 512)] and reads(run) == reading
    assert run.get("File", 1, "mmap_miss") == 0


@pytest.mark.parametrize("version, expected", [(612, 0), (618, 0), (700, 1)])
def test_huge_advice_counts_misses_since_7_0(version: int, expected: int) -> None:
    run = scene(flags="VM_READ | VM_HUGEPAGE", KERNEL_VERSION=version)
    run.choices["page"] = lambda thread: 600
    run.until(1, "page_cache_ra_order(file, index - index % HPAGE_PMD_NR")
    assert run.get("File", 1, "mmap_miss") == expected


# ---- mmap_miss (7.5) ----------------------------------------------


def test_too_many_misses_stop_read_around() -> None:
    run = scene("hold", MMAP_LOTSAMISS=3, KERNEL_VERSION=612)
    sizes = []
    for page in range(0, 1000, 100):
        touch(run, page)
        sizes.append(reads(run)[0][1])
    assert sizes[:3] == [32, 32, 32] and set(sizes[3:]) == {1}
    assert run.get("File", 1, "mmap_miss") == 10


def test_dropping_never_reaches_the_limit() -> None:
    """D12: the redo's fault-around takes off what the miss added."""
    run = scene(MMAP_LOTSAMISS=3, KERNEL_VERSION=612)
    for page in range(0, 1000, 100):
        touch(run, page)
        assert reads(run)[0][1] == 32
        assert run.get("File", 1, "mmap_miss") == 0


def test_later_counting_rule_lets_drop_reach_the_limit_too() -> None:
    """D12: with at most one hit, and none for a redo, drop counts as hold does."""
    run = scene(MMAP_LOTSAMISS=3, KERNEL_VERSION=612, FAULT_AROUND_HITS=1)
    sizes = []
    for page in range(0, 600, 100):
        touch(run, page)
        sizes.append(reads(run)[0][1])
    assert sizes == [32, 32, 32, 1, 1, 1]


def test_fault_around_does_not_count_refaults() -> None:
    run = scene(more="".join(f"    boot_cache(mapping, {i}, 0)\n" for i in range(4)))
    run.set("File", 1, "mmap_miss", 10)
    run.set("Folio", 2, "workingset", 1)
    touch(run, 0)
    assert run.get("File", 1, "mmap_miss") == 7


@pytest.mark.parametrize("version, miss", [(612, 9), (618, 10)])
def test_hit_on_a_locked_folio_counts_only_before_6_17(version: int, miss: int) -> None:
    run = scene(more="    boot_read(mapping, 0, 1)\n", KERNEL_VERSION=version)
    run.set("File", 1, "mmap_miss", 10)
    run.choices["page"] = lambda thread: 0
    run.go(1)
    assert run.get("File", 1, "mmap_miss") == miss


# ---- filling (7.2) ----------------------------------------------


def test_present_pages_split_the_read() -> None:
    run = scene(more="    boot_cache(mapping, 90, 0)\n", KERNEL_VERSION=612)
    touch(run, 100)
    assert reads(run) == [(84, 6), (91, 25)]


def test_no_memory_ends_the_window() -> None:
    run = scene(KERNEL_VERSION=612, MEMORY_PAGES=20)
    touch(run, 100)
    assert reads(run) == [(84, 20)]


def test_mark_is_not_set_on_a_page_that_was_there() -> None:
    run = scene(more="    boot_cache(mapping, 108, 0)\n", KERNEL_VERSION=612)
    touch(run, 100)
    assert marks(run) == set()


def test_window_is_filled_under_invalidate_lock() -> None:
    run = scene(KERNEL_VERSION=612)
    run.choices["page"] = lambda thread: 100
    run.until(1, "submit_bio(mapping, index, nr)")
    assert run.get("Thread", 1, "invalidate_lock_mode") == 1
    run.until(1, "lock_folio_maybe_drop_mmap")
    assert run.get("Thread", 1, "pinned_file") == 1


# ---- the next window (7.4) ----------------------------------------------


@pytest.mark.parametrize(
    "size, maximum, expected", [(1, 32, 4), (2, 64, 8), (5, 32, 16), (9, 32, 32), (40, 32, 32)]
)
def test_init_size(size: int, maximum: int, expected: int) -> None:
    run = scene()
    assert run.call("get_init_ra_size", size, maximum) == expected


@pytest.mark.parametrize("current, expected", [(1, 4), (4, 8), (16, 32), (17, 32), (32, 32)])
def test_next_size(current: int, expected: int) -> None:
    assert scene().call("get_next_ra_size", current, 32) == expected


MARKED = """    for i in range(40, 50):
        folio = boot_cache(mapping, i, 0)
        if i == 44:
            folio.readahead = True
"""


def test_mark_without_its_window_looks_for_the_gap() -> None:
    run = scene(more=MARKED, KERNEL_VERSION=612)
    touch(run, 44)
    assert windows(run) == [(50, 32, 32)], "next(50 - 44 + 32, 32) from the first missing page"


def test_mark_on_a_folio_under_writeback_does_nothing() -> None:
    run = scene(more=MARKED, KERNEL_VERSION=612)
    run.set("Folio", 5, "writeback", 1)
    touch(run, 44, disk=False)
    assert windows(run) == []


@pytest.mark.parametrize("version, size", [(612, 64), (618, 63)])
def test_window_end_is_aligned_since_6_17(version: int, size: int) -> None:
    run = scene(ra=64, more=MARKED.replace("44", "45"), KERNEL_VERSION=version)
    run.set("File", 1, "ra_start", 13)
    run.set("File", 1, "ra_size", 64)
    run.set("File", 1, "ra_async_size", 32)
    touch(run, 45)
    assert windows(run)[0][:2] == (77, size), "77 + 64 = 141, rounded down to 140"


# ---- large folios ----------------------------------------------


@pytest.mark.parametrize("version", [612, 618])
def test_read_around_with_large_folios(version: int) -> None:
    run = scene(max_order=4, KERNEL_VERSION=version)
    touch(run, 100)
    assert sum(pages for _, pages in reads(run)) == 32
    orders = {run.get("Folio", i, "order") for i in range(1, 60) if run.get("Folio", i, "mapping")}
    assert orders == ({2} if version < 617 else {0}), "6.12 adds 2 to order 0; since 6.17 it is 0"


def test_sequential_windows_ramp_the_order_up() -> None:
    run = scene(max_order=9, KERNEL_VERSION=618)
    touch(run, 0)
    touch(run, 24)
    assert run.get("File", 1, "ra_order") == 2
    assert run.get("File", 1, "ra_start") == 32


def test_conflict_leaves_the_rest_to_small_folios() -> None:
    run = scene(max_order=4, more="    boot_cache(mapping, 98, 0)\n", KERNEL_VERSION=612)
    touch(run, 100)
    assert sum(pages for _, pages in reads(run)) >= 31
    assert all(run.get("Mapping", 1, "pages", i) for i in range(84, 116))

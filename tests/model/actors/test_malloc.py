# SPDX-License-Identifier: GPL-2.0-only
"""The C library's heaps: which chunk, which heap, and what a fork does to them."""

import pytest

from faultlock.sim import memory_plan
from faultlock.sim.user_memory import TLB_OTHER_SLOTS
from faultlock.workload import library
from tests.model.actors.scene import Scene
from tests.model.actors.test_memcontrol import MEMCG
from tests.model.actors.test_reclaim import scene
from tests.model.actors.test_zone import ZONE

BODY = '''
@setup
def start():
    """A process without memory."""
    boot_mm()


@thread("T1")
def keeper():
    task: Task = choose(1, N_THREADS + 1, "own_number")
    user_heap(task)
    fork_lock_heaps(task)
    fork_unlock_heaps(task)


@thread("T2")
def kworker():
    sleeps = vmpressure_work_begin()
    while not sleeps:
        shrink_lruvec(12, 32, True, False)
        sleeps = vmpressure_work_begin()
'''


def process(**parameters: int) -> Scene:
    return Scene(BODY, 2, "", N_HEAPS=4, HEAP_CHUNKS=8, **parameters)


def heap(top: int, free: tuple[int, ...] = ()) -> Scene:
    s = process()
    s.put("Heap", 1, "pages", 33)
    s.put("Heap", 1, "top", top)
    for chunk in free:
        s.put("Heap", 1, "is_free", 1, chunk)
    return s


@pytest.mark.parametrize(
    ("free", "count", "chunk"),
    [((), 1, 6), ((1,), 1, 1), ((1, 3, 4), 1, 1), ((1, 3, 4), 2, 3), ((1, 3), 2, 6)],
)
def test_a_chunk_goes_to_the_smallest_place_or_the_top(
    free: tuple[int, ...], count: int, chunk: int
) -> None:
    assert heap(6, free).machine.call("best_fit", 1, count) == chunk


def test_what_is_free_below_the_top_chunk_becomes_part_of_it() -> None:
    s = heap(4, (2,))
    s.machine.call("chunk_free", 1, 3, 1)
    assert s.get("Heap", 1, "top") == 2
    s.machine.call("chunk_take", 1, 2, 2)
    assert s.get("Heap", 1, "top") == 4
    assert [s.get("Heap", 1, "is_free", n) for n in range(4)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("top", "free", "pages", "fits"),
    [(2, (), 33, 1), (3, (), 33, 0), (3, (2,), 33, 1), (2, (), 16, 0)],
)
def test_a_vector_grows_in_place_where_there_is_room(
    top: int, free: tuple[int, ...], pages: int, fits: int
) -> None:
    s = heap(top, free)
    s.put("Heap", 1, "pages", pages)
    assert s.machine.call("grows_in_place", 1, 1) == fits
    assert s.get("Heap", 1, "top") == (3 if fits or top == 3 else 2)


def test_a_thread_asks_how_many_heaps_there_may_be_when_there_are_nine() -> None:
    """narenas > mp_.arena_test: the main heap and eight more."""
    s = process()
    s.put("Malloc", 1, "narenas", 7)
    assert s.machine.call("must_count_cpus", 1) == 0
    s.put("Malloc", 1, "to_make", 2)
    assert s.machine.call("may_make_arena", 1) == 2, "nobody knows the limit: one more"
    assert s.get("Malloc", 1, "narenas") == 8
    assert s.machine.call("must_count_cpus", 1) == 1
    s.put("Malloc", 1, "limit_known", 1)
    assert s.machine.call("must_count_cpus", 1) == 0


@pytest.mark.parametrize(
    ("threads", "cpus", "arenas"), [(3, 1, 3), (8, 1, 8), (32, 1, 8), (32, 2, 15), (12, 2, 12)]
)
def test_one_cpu_has_eight_heaps_besides_the_main_one(
    threads: int, cpus: int, arenas: int
) -> None:
    """The limit is 8 for each CPU with the main one, but is not looked at before there are 9."""
    loop = 'loop = [{ op = "sleep", time = "1ms" }]'
    read = library.loads(f'[[threads]]\nname = "t"\ncount = {threads}\n{loop}\n', "test", "t")
    [planned] = memory_plan.plan_memory(read, cpus).processes.values()
    assert len(planned.arenas) == arenas


def test_the_second_thread_of_a_heap_begins_behind_its_own_tcache() -> None:
    """Traced in a guest: results of 24 threads of the main heap begin 33,440 bytes apart."""
    constants = process().program.constants
    assert (constants["HEAP_CHUNK_BYTES"], constants["TCACHE_BYTES"]) == (32_784, 656)
    s = process()
    pages = [s.machine.call("chunk_page", n + 1, n, 0) for n in range(24)]
    assert pages == [(2896 + n * 33_440) // 4096 for n in range(24)]
    assert len({page % 64 for page in pages}) == 24, "all have TLB entries of their own"


def test_who_finds_all_heaps_locked_waits_for_the_one_whose_turn_it_is() -> None:
    s = process()
    for number, following in ((1, 3), (3, 2), (2, 1)):
        s.put("Heap", number, "next", following)
        s.put("Heap", number, "mutex", number)
    s.put("Malloc", 1, "main_heap", 1)
    assert s.machine.call("reused_arena", 1) == 1, "the main heap first"
    s.put("Futex", 1, "is_locked", 1)
    assert s.machine.call("reused_arena", 1) == 3
    s.put("Futex", 3, "is_locked", 1)
    assert s.machine.call("reused_arena", 1) == 2
    s.put("Futex", 2, "is_locked", 1)
    assert s.machine.call("reused_arena", 1) == 1, "none is free: its turn has not changed"


def test_a_released_lock_wakes_who_waits_longest_but_is_nobodys_yet() -> None:
    s = process()
    assert s.machine.call("lll_trylock", 1) == 1
    assert s.machine.call("lll_trylock", 1) == 0
    s.put("Futex", 1, "first_waiter", 1)
    s.put("Futex", 1, "last_waiter", 2)
    s.put("Thread", 1, "wait_next", 2)
    assert s.machine.call("futex_wake", 1) == 1
    assert s.get("Thread", 1, "wait_woken") == 1
    assert s.get("Thread", 2, "wait_woken") == 0
    assert s.get("Futex", 1, "first_waiter") == 2
    assert s.get("Futex", 1, "is_locked") == 0


@pytest.mark.parametrize("limits", [ZONE, MEMCG])
def test_five_hundred_and_twelve_scanned_pages_wake_the_kworker_of_vmpressure(
    limits: dict[str, int],
) -> None:
    s = process(**limits)
    s.put("lruvec", 1, "vmpressure_worker", 2)
    s.machine.call("vmpressure", 511)
    assert not s.get("lruvec", 1, "vmpressure_pending")
    s.machine.call("vmpressure", 1)
    assert s.get("lruvec", 1, "vmpressure_pending")
    assert s.get("Thread", 2, "wait_woken") == 1
    assert s.get("lruvec", 1, "vmpressure_worker") == 0, "it is awake: the next call wakes nobody"
    assert s.machine.call("vmpressure_work_begin") == 0
    assert s.get("lruvec", 1, "tree_scanned") == 0
    assert s.machine.call("vmpressure_work_begin") == 1, "nothing more to do: it sleeps"


def test_a_private_page_that_no_child_shares_is_written_as_it_is() -> None:
    s = scene("VM_READ | VM_WRITE | VM_MAYWRITE", TLB=1)
    s.put("Thread", 1, "vmf_vma", 1)
    s.put("Thread", 1, "vmf_address", s.get("VMA", 1, "vm_start"))
    mm, address = s.get("VMA", 1, "vm_mm"), s.get("VMA", 1, "vm_start")
    accessed, write = 1, 2
    s.machine.call("set_private_pte", mm, address, accessed)
    s.put("MM", mm, "live_children", 1)
    assert s.machine.call("wp_can_reuse_anon_folio") == 0, "the child has not exited yet"
    s.put("MM", mm, "live_children", 0)
    assert s.machine.call("wp_can_reuse_anon_folio") == 1
    assert s.get("MM", mm, "pte_flags", address) & write


def test_the_set_up_counts_with_the_models_numbers() -> None:
    """Pages of a new heap, bytes of a chunk, and TLB entries that no thread keeps."""
    constants = process().program.constants
    assert constants["HEAP_PAGES_FIRST"] == memory_plan.HEAP_PAGES
    assert constants["HEAP_CHUNK_BYTES"] == memory_plan.HEAP_CHUNK_BYTES
    s = process(TLB=1)
    others = [slot for slot in range(64) if s.machine.call("tlb_other", slot)]
    assert others == list(TLB_OTHER_SLOTS)

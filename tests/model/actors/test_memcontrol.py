# SPDX-License-Identifier: GPL-2.0-only
"""A memory cgroup: charging in batches, memory.max, memory.high; reads of holes."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_reclaim import cached, scene

MEMCG = {
    "MEMCG": 1, "LRU": 2, "DIRECT_RECLAIM": 1, "MEMCG_HIGH_PAGES": 1000, "MEMCG_MAX_PAGES": 1200,
}  # fmt: skip


def memcg(call: str, charged: int = 0, **parameters: int) -> Scene:
    s = scene("VM_READ", call, **{**MEMCG, **parameters})
    s.choices["smp_processor_id"] = 0
    s.put("mem_cgroup", 1, "memory", charged)
    return s


def test_a_cpu_charges_a_batch_and_has_the_rest_in_stock() -> None:
    s = memcg("try_charge_memcg(1, False)")
    s.run(2)
    assert s.get("mem_cgroup", 1, "memory") == 64
    assert s.get("mem_cgroup", 1, "stock", 0) == 61, "three times one page"
    assert s.get("Thread", 2, "memcg_nr_pages_over_high") == 0


def test_more_than_a_batch_in_stock_is_given_back() -> None:
    s = memcg("drain_all_stock()", 500)
    s.machine.call("refill_stock", 0, 60)
    assert (s.get("mem_cgroup", 1, "memory"), s.get("mem_cgroup", 1, "stock", 0)) == (500, 60)
    s.machine.call("refill_stock", 0, 5)
    assert (s.get("mem_cgroup", 1, "memory"), s.get("mem_cgroup", 1, "stock", 0)) == (435, 0)


def test_a_freed_page_is_uncharged() -> None:
    s = memcg("try_charge_memcg(1, False)", 10)
    s.machine.call("memory_uncharge", 4)
    assert s.get("mem_cgroup", 1, "memory") == 6


def test_at_memory_max_reclaim_comes_before_the_page() -> None:
    s = memcg("alloc_pages(1, True)", 1199)
    s.run(2)
    assert not cached(s, 0) and not cached(s, 1), "both cached pages went"
    assert s.events_of("MEMCG_MAX")
    assert s.get("mem_cgroup", 1, "memory") <= 1200


def test_nothing_can_be_reclaimed_no_page() -> None:
    s = memcg("try_charge_memcg(2, True)", 1199)
    s.put("Folio", 1, "locked", 1)
    s.put("Folio", 2, "locked", 1)
    s.run(2)
    assert s.get("mem_cgroup", 1, "memory") == 1199
    assert len(s.events_of("MEMCG_MAX")) == 6, "each call tries again once: the stocks were drained"


def test_above_memory_high_a_thread_pays_on_its_way_to_user_mode() -> None:
    s = memcg("try_charge_memcg(64, False)\n    touch(3, False, True)", 940)
    s.until(2, "touch")
    assert s.get("Thread", 2, "memcg_nr_pages_over_high") == 64
    assert cached(s, 0), "nothing was reclaimed yet"
    s.until(2, "mem_cgroup_handle_over_high")
    s.run(2)
    assert s.events_of("MEMCG_HIGH")
    assert s.get("Thread", 2, "memcg_nr_pages_over_high") == 0


def test_who_owes_more_than_a_batch_pays_at_once() -> None:
    s = memcg("try_charge_memcg(64, False)", 960)
    s.until(2, "mem_cgroup_handle_over_high")
    assert "try_charge_memcg" in s.stack(2)
    s.run(2)
    assert s.events_of("MEMCG_HIGH")


@pytest.mark.parametrize(("over", "pages", "jiffies"), [
    (0, 64, 0), (-5, 64, 0), (10, 64, 1), (50, 64, 39), (50, 128, 78), (50, 16, 9), (190, 64, 500),
])  # fmt: skip
def test_the_delay_grows_with_the_square_of_the_excess(over: int, pages: int, jiffies: int) -> None:
    s = memcg("drain_all_stock()", 1000 + over)
    assert s.machine.call("calculate_high_delay", pages) == jiffies


def test_who_cannot_reclaim_sleeps() -> None:
    s = memcg("mem_cgroup_handle_over_high()", 1050)
    s.put("Thread", 2, "memcg_nr_pages_over_high", 64)
    s.put("Folio", 1, "locked", 1)
    s.put("Folio", 2, "locked", 1)
    s.run(2)
    assert len(s.events_of("MEMCG_THROTTLE")) == 1
    assert len(s.events_of("MEMCG_HIGH")) == 17, "the first attempt and 16 more"


def test_a_little_above_memory_high_nobody_sleeps() -> None:
    s = memcg("mem_cgroup_handle_over_high()", 1010)
    s.put("Thread", 2, "memcg_nr_pages_over_high", 64)
    s.run(2)
    assert len(s.events_of("MEMCG_HIGH")) == 1
    assert not s.events_of("MEMCG_THROTTLE")


def test_a_read_of_holes_needs_no_device() -> None:
    s = memcg("touch(3, False, True)")
    s.put("Mapping", 1, "sparse", 1)
    s.run(2)
    assert s.get("MM", 1, "pte", 3)
    assert not s.events_of("IO_SUBMIT")
    keys = ("read_hole", "zero_hole")
    holes, zeroed = ([n for name, n, _ in s.costs if name == key] for key in keys)
    assert holes == zeroed and sum(zeroed) > 0, "folios of one page"
    s.assert_balanced()


def test_lru_lock_is_taken_for_a_batch_of_new_folios() -> None:
    s = memcg("try_charge_memcg(1, False)")
    s.run(2)
    assert [s.machine.call("folio_batch_add", 0) for _ in range(31)] == [0] * 30 + [31]
    assert [s.machine.call("folio_batch_add", order) for order in (0, 0, 2, 2)] == [0, 0, 3, 1]


@pytest.mark.parametrize("active", [0, 1])
def test_an_active_folio_that_reclaim_puts_back_ages_those_that_are_gone(active: int) -> None:
    s = memcg("try_charge_memcg(1, False)")
    for put_back, grown in (("move_folio_to_lru", active), ("folio_putback_lru", 0)):
        s.machine.call("folio_isolate_lru", 1)
        s.put("Folio", 1, "active", active)
        before = s.get("lruvec", 1, "nonresident_age")
        s.machine.call(put_back, 1)
        assert s.get("lruvec", 1, "nonresident_age") - before == grown, put_back


def test_a_page_used_twice_counts_in_pgactivate() -> None:
    mark = "folio = lruvec.inactive_tail\n        folio_mark_accessed(folio)"
    s = memcg(f"with atomic:\n        {mark}")
    s.put("Folio", 1, "referenced", 1)
    s.run(2)
    assert s.get("Folio", 1, "active") == 1 and s.events_of("PGACTIVATE")

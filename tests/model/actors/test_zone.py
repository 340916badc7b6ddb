# SPDX-License-Identifier: GPL-2.0-only
"""A zone under pressure: watermarks, the per-CPU list, throttling, statistics that are late."""

import pytest

from tests.model.actors.scene import Scene
from tests.model.actors.test_reclaim import cached, scene

ZONE = {
    "ZONE": 1, "LRU": 2, "DIRECT_RECLAIM": 1, "MEMORY_PAGES": 200, "WMARK_MIN_PAGES": 40,
    "KSWAPD_LOW_PAGES": 50, "KSWAPD_HIGH_PAGES": 60, "PCP_BATCH": 7, "PCP_HIGH_MIN": 28,
    "PCP_HIGH_MAX": 80,
}  # fmt: skip


def zone(call: str = "reclaim_once()", **parameters: int) -> Scene:
    return scene("VM_READ", call, **{**ZONE, **parameters})


def unused(s: Scene) -> int:
    """Pages that are free for the watermarks."""
    return 200 - s.get("memory", 1, "used_pages") - s.get("zone", 1, "pcp_count")


def use(s: Scene, free_pages: int) -> None:
    """Leave so many pages free, none of them on the per-CPU list."""
    s.put("zone", 1, "pcp_count", 0)
    s.put("memory", 1, "used_pages", 200 - free_pages)


def test_the_per_cpu_list_takes_a_batch_and_twice_as_many_each_time() -> None:
    s = zone()
    use(s, 200)
    s.put("zone", 1, "pcp_alloc_factor", 0)
    s.put("zone", 1, "pcp_high", 80)
    s.machine.call("memory_charge", 1)
    assert s.get("zone", 1, "pcp_count") == 6
    assert s.get("zone", 1, "pcp_alloc_factor") == 1
    s.put("zone", 1, "pcp_count", 0)
    s.machine.call("memory_charge", 1)
    assert s.get("zone", 1, "pcp_count") == 13
    s.machine.call("memory_uncharge", 1)
    assert s.get("zone", 1, "pcp_count") == 14, "a freed page stays on the list"
    assert s.get("zone", 1, "pcp_alloc_factor") == 1, "and halves the next batch"


def test_pages_on_the_per_cpu_list_do_not_help_until_it_is_drained() -> None:
    s = zone()
    use(s, 40)
    s.put("zone", 1, "pcp_count", 20)
    s.put("memory", 1, "used_pages", 140)
    assert unused(s) == 40
    s.machine.call("memory_charge", 1)
    assert s.get("memory", 1, "used_pages") == 140, "refused at the minimum, 20 pages on the list"
    s.machine.call("drain_all_pages")
    assert unused(s) == 60
    s.machine.call("memory_charge", 1)
    assert s.get("memory", 1, "used_pages") == 141


@pytest.mark.parametrize(("reclaim_active", "left"), [(0, 30), (1, 23)])
def test_the_list_is_short_while_kswapd_works(reclaim_active: int, left: int) -> None:
    s = zone()
    use(s, 100)
    s.put("zone", 1, "pcp_count", 29)
    s.put("zone", 1, "pcp_high", 80)
    s.put("zone", 1, "reclaim_active", reclaim_active)
    s.machine.call("memory_uncharge", 1)
    assert s.get("zone", 1, "pcp_count") == left


def test_kswapd_is_woken_below_the_low_watermark_and_works_up_to_the_high_one() -> None:
    s = scene("VM_READ", "kswapd()", **ZONE)
    use(s, 60 + 7)
    assert s.run(2).startswith("kswapd: wait")
    s.machine.call("memory_charge", 1)
    assert s.get("lruvec", 1, "kswapd") == 2, "60 are free: not yet"
    use(s, 50)
    s.machine.call("memory_charge", 1)
    assert s.get("lruvec", 1, "kswapd") == 0
    assert s.get("Thread", 2, "wait_woken") == 1
    assert s.get("zone", 1, "below_high") == 1


def test_hardly_anything_free_makes_reclaimers_wait_for_kswapd() -> None:
    s = zone("throttle_direct_reclaim()\n    kswapd_round_done()")
    use(s, 20)
    assert s.run(2).startswith("throttle_direct_reclaim: wait")
    assert s.get("zone", 1, "throttled") == 2
    use(s, 21)
    s.machine.call("kswapd_round_done")
    assert s.get("zone", 1, "throttled") == 0
    assert not s.run(2).startswith("throttle_direct_reclaim: wait")


def test_waiting_again_for_kswapd_is_counted_once() -> None:
    s = zone("throttle_direct_reclaim()\n    wake_throttled(True)")
    use(s, 20)
    for _ in range(2):
        assert s.run(2).startswith("throttle_direct_reclaim: wait")
        s.machine.call("wake_throttled", 1)
    use(s, 21)
    s.run(2)
    assert s.get("zone", 1, "throttled") == 0
    assert len(s.events_of("PGSCAN_DIRECT_THROTTLE")) == 1


@pytest.mark.parametrize("others", [0, 1])
def test_a_fatal_signal_ends_the_wait_for_kswapd(others: int) -> None:
    s = zone("throttle_direct_reclaim()\n    send_sigkill(current)")
    use(s, 20)
    assert s.run(2).startswith("throttle_direct_reclaim: wait")
    if others:
        s.put("zone", 1, "throttled", 1)
        s.put("Thread", 1, "wait_next", 2)
    s.put("Thread", 2, "fatal_signal_pending", 1)
    assert not s.run(2).startswith("throttle_direct_reclaim: wait")
    assert s.get("zone", 1, "throttled") == (1 if others else 0), "it left the queue"
    assert s.get("Thread", 1, "wait_next") == 0


@pytest.mark.parametrize("nofs", [0, 1], ids=["GFP_KERNEL", "GFP_NOFS"])
def test_too_many_isolated_folios_stop_a_reclaimer_until_some_are_back(nofs: int) -> None:
    s = zone("shrink_inactive_list(32, False)")
    s.machine.call("mod_node_isolated", 0, 1)
    s.put("Thread", 2, "memalloc_nofs", nofs)
    if nofs:  # it may isolate as many as the inactive list has
        s.run(2)
        assert not cached(s, 0) and not cached(s, 1)
        return
    assert s.run(2).startswith("shrink_inactive_list: wait")
    assert cached(s, 0) and cached(s, 1)
    s.machine.call("mod_node_isolated", 0, -1)
    assert s.get("zone", 1, "stalled") == 0
    s.run(2)
    assert not cached(s, 0) and not cached(s, 1)
    assert s.get("lruvec", 1, "nr_isolated") == 0


def test_nofs_reclaimers_stop_when_more_is_isolated_than_is_left() -> None:
    s = zone("shrink_inactive_list(32, False)")
    s.machine.call("mod_node_isolated", 0, 3)
    s.put("Thread", 2, "memalloc_nofs", 1)
    assert s.run(2).startswith("shrink_inactive_list: wait")


def test_what_a_cpu_isolates_is_seen_once_it_is_more_than_the_threshold() -> None:
    s = zone("shrink_inactive_list(32, False)", STAT_THRESHOLD=40)
    s.machine.call("mod_node_isolated", 0, 40)
    assert s.get("lruvec", 1, "nr_isolated") == 0
    s.machine.call("mod_node_isolated", 0, 1)
    assert s.get("lruvec", 1, "nr_isolated") == 41
    s.machine.call("mod_node_isolated", 0, -41)
    assert s.get("lruvec", 1, "nr_isolated") == 0


def test_reclaim_believes_statistics_until_they_are_flushed() -> None:
    s = zone("try_to_free_pages()\n    flush_memcg_stats()")
    s.put("lruvec", 1, "nr_active", 9)
    s.put("lruvec", 1, "nr_inactive", 2)
    assert not s.machine.call("may_deactivate"), "as far as it knows both lists are empty"
    s.machine.call("flush_memcg_stats")
    assert s.get("lruvec", 1, "stat_active") == 9
    assert s.machine.call("may_deactivate")


def test_an_isolated_chain_is_off_the_list_at_once() -> None:
    s = scene("VM_READ", "shrink_inactive_list(32, True)", **ZONE)
    s.reach("8.3.2", 2)
    assert s.get("lruvec", 1, "inactive_head") == 0, "both folios are off the list"
    assert s.get("lruvec", 1, "nr_isolated") == 2
    s.run(2)
    assert not cached(s, 0) and not cached(s, 1)


@pytest.mark.parametrize("cpus", [1, 2])
def test_reclaim_leaves_a_flush_to_who_zaps_next_if_there_are_other_cpus(cpus: int) -> None:
    s = zone("zap_page_range_single(vma_lookup(current.mm, 0), 0, 1, True)", N_CPUS=cpus)
    s.put("MM", 1, "users", 2)
    s.run(1)
    s.machine.call("try_to_unmap_one", 1, 1)
    deferred = s.get("MM", 1, "tlb_flush_pending")
    assert deferred == cpus - 1
    s.run(2)
    assert s.get("MM", 1, "tlb_flush_flushed") == deferred


def test_what_is_removed_during_a_flush_is_not_flushed() -> None:
    s = zone("flush_tlb_batched_pending(current.mm)", N_CPUS=2)
    s.put("MM", 1, "users", 2)
    s.put("MM", 1, "tlb_flush_pending", 3)
    s.until(2, "flush_tlb_mm_range")
    s.machine.call("set_tlb_ubc_flush_pending", 1)
    s.until(2, "reclaimer")
    assert (s.get("MM", 1, "tlb_flush_flushed"), s.get("MM", 1, "tlb_flush_pending")) == (0, 4)


def test_the_count_of_removals_begins_anew_before_it_overflows() -> None:
    s = zone(N_CPUS=2)
    s.put("MM", 1, "users", 2)
    s.put("MM", 1, "tlb_flush_pending", 16384)
    s.put("MM", 1, "tlb_flush_flushed", 16384)
    s.machine.call("set_tlb_ubc_flush_pending", 1)
    assert (s.get("MM", 1, "tlb_flush_flushed"), s.get("MM", 1, "tlb_flush_pending")) == (0, 1)

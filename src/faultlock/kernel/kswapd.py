# SPDX-License-Identifier: GPL-2.0-only
"""Who reclaims and when: direct reclaim, kswapd, and a reclaimer for the checker (mm/vmscan.c)."""


def try_to_free_pages() -> int:
    """Direct reclaim: an allocation found no memory.

    Source: try_to_free_pages, do_try_to_free_pages, mm/vmscan.c, 6.12
    Context: whatever the allocating thread holds; sleeps only for i_mmap_rwsem
    Returns: pages freed
    Left out: compaction
    """
    emit("DIRECT_RECLAIM_BEGIN")
    reclaimed = 0
    if LRU == 0:
        reclaimed = shrink_any_folio()
        return reclaimed
    reclaimed = do_try_to_free_pages(SWAP_CLUSTER_MAX)
    emit("DIRECT_RECLAIM_END", reclaimed)
    return reclaimed


def try_to_free_mem_cgroup_pages(nr: int) -> int:
    """Direct reclaim for a memory cgroup's limit.

    Source: try_to_free_mem_cgroup_pages, mm/vmscan.c, 6.12
    Context: whatever the charging thread holds; sleeps only for i_mmap_rwsem
    Returns: pages freed
    Left out: slab caches
    """
    emit("DIRECT_RECLAIM_BEGIN")
    reclaimed = do_try_to_free_pages(max(nr, SWAP_CLUSTER_MAX))
    emit("DIRECT_RECLAIM_END", reclaimed)
    return reclaimed


def do_try_to_free_pages(nr_to_reclaim: int) -> int:
    """Look at the lists; if nothing can be freed, also at folios that were in use.

    Source: do_try_to_free_pages, mm/vmscan.c, 6.12
    Context: direct reclaim
    Returns: pages freed
    Left out: compaction
    """
    reclaimed = shrink_priorities(nr_to_reclaim, False)
    if reclaimed == 0 and lruvec.nr_active > 0:
        reclaimed = shrink_priorities(nr_to_reclaim, True)
    snapshot_refaults()
    return reclaimed


def shrink_priorities(nr_to_reclaim: int, force_deactivate: bool) -> int:
    """Look at ever larger parts of the lists until enough pages are free.

    Source: do_try_to_free_pages, mm/vmscan.c, 6.12
    Context: direct reclaim
    Returns: pages freed
    Left out: throttling when there is no progress
    """
    reclaimed = 0
    priority = DEF_PRIORITY
    while priority >= 0 and reclaimed < nr_to_reclaim:
        vmpressure_prio(priority)
        freed = shrink_lruvec(priority, nr_to_reclaim, False, force_deactivate)
        reclaimed += freed
        priority -= 1
    return reclaimed


def shrink_any_folio() -> int:
    """Reclaim any one folio, or none: every choice that an LRU order could make.

    Source: none (stands for shrink_lruvec where no lists are kept)
    Context: any; no lock held afterwards
    Returns: pages freed
    Left out: nothing
    """
    folio = isolate_any_folio()
    if folio is None:
        return 0
    return shrink_folio(folio)


# ---- throttling ------------------------------------------------------------------------------------


@atomic
def allow_direct_reclaim() -> bool:
    """Is more than half of the minimum free?  Otherwise reclaimers wait for kswapd.

    Source: allow_direct_reclaim, mm/vmscan.c, 6.12
    Context: any
    Returns: True if so
    Left out: nodes, kswapd_failures
    """
    return zone_free_pages() > WMARK_MIN_PAGES >> 1


@atomic
def throttle_begin() -> bool:
    """Queue for kswapd if hardly anything is free.

    Source: wait_event_killable in throttle_direct_reclaim, mm/vmscan.c, 6.12
    Context: before direct reclaim
    Returns: True if current must wait
    Left out: nothing
    """
    if ZONE == 0:
        return False
    if allow_direct_reclaim():
        return False
    wakeup_kswapd()
    current.wait_woken = False
    current.wait_next = zone.throttled
    zone.throttled = current
    return True


@atomic
def throttle_forget():
    """Leave the queue of those who wait for kswapd.

    Source: finish_wait in throttle_direct_reclaim, mm/vmscan.c, 6.12
    Context: a fatal signal ended the wait
    Returns: nothing
    Left out: nothing
    """
    thread = zone.throttled
    if thread == current:
        zone.throttled = current.wait_next
    else:
        while thread is not None and thread.wait_next != current:
            thread = thread.wait_next
        if thread is not None:
            thread.wait_next = current.wait_next
    current.wait_next = None


def throttle_direct_reclaim() -> bool:
    """Wait for kswapd while hardly anything is free.

    Source: throttle_direct_reclaim, mm/vmscan.c, 6.12
    Context: before direct reclaim, whatever locks are held; sleeps, killable
    Returns: True if a fatal signal ended the wait: no reclaim then
    Left out: the limit of one second for callers without __GFP_FS
    """
    if current.fatal_signal_pending:
        return False
    if not throttle_begin():
        return False
    emit("PGSCAN_DIRECT_THROTTLE")
    while True:
        wait(current.wait_woken, killable, on=lruvec)
        if not current.wait_woken:
            throttle_forget()
            return True
        if not throttle_begin():
            return current.fatal_signal_pending


@atomic
def reclaim_throttle_begin() -> bool:
    """Queue if too many folios are isolated.

    Source: shrink_inactive_list, reclaim_throttle(VMSCAN_THROTTLE_ISOLATED), mm/vmscan.c, 6.12
    Context: direct reclaim
    Returns: True if current must wait
    Left out: the time limit of 20 ms: who puts the last folio back always wakes
    """
    if not too_many_isolated():
        return False
    current.wait_woken = False
    current.wait_next = zone.stalled
    zone.stalled = current
    return True


@atomic
def wake_throttled(for_kswapd: bool):
    """Wake all who wait for kswapd, or all who wait for isolated folios.

    Source: wake_up_all in balance_pgdat and wake_throttle_isolated, mm/vmscan.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    thread = zone.throttled if for_kswapd else zone.stalled
    if for_kswapd:
        zone.throttled = None
    else:
        zone.stalled = None
    while thread is not None:
        following = thread.wait_next
        thread.wait_next = None
        thread.wait_woken = True
        thread = following


# ---- kswapd ------------------------------------------------------------------------------------------


@atomic
def wakeup_kswapd():
    """Wake kswapd if it sleeps and memory is short.

    Source: wakeup_kswapd, mm/vmscan.c, 6.12
    Context: any
    Returns: nothing
    Left out: nodes, orders, kswapd_failures
    """
    if lruvec.kswapd is None or KSWAPD_LOW_PAGES == 0:
        return
    if ZONE == 0 and zone_free_pages() >= KSWAPD_LOW_PAGES:
        return
    if pgdat_balanced():
        return
    thread = lruvec.kswapd
    lruvec.kswapd = None
    thread.wait_woken = True


@atomic
def kswapd_prepare_to_sleep() -> bool:
    """Go to sleep unless memory is short.

    Source: kswapd_try_to_sleep, prepare_kswapd_sleep, mm/vmscan.c, 6.12
    Context: kswapd
    Returns: True if kswapd now sleeps
    Left out: the short first sleep
    """
    zone.reclaim_active = 0
    if zone_free_pages() < KSWAPD_LOW_PAGES:
        return False
    if ZONE == 1:
        wake_throttled(True)
    current.wait_woken = False
    lruvec.kswapd = current
    return True


@atomic
def pgdat_balanced() -> bool:
    """Has kswapd done enough?

    Source: pgdat_balanced, mm/vmscan.c, 6.12
    Context: any
    Returns: True if the high watermark is reached
    Left out: zones
    """
    return zone_free_pages() >= KSWAPD_HIGH_PAGES + ZONE


@atomic
def kswapd_round_done():
    """After each round: let throttled reclaimers go on if some memory is free.

    Source: balance_pgdat, mm/vmscan.c, 6.12
    Context: kswapd
    Returns: nothing
    Left out: nothing
    """
    if ZONE == 1 and allow_direct_reclaim():
        wake_throttled(True)


def balance_pgdat():
    """Reclaim until the high watermark is reached or nothing more can be had.

    Source: balance_pgdat, kswapd_shrink_node, mm/vmscan.c, 6.12
    Context: kswapd
    Returns: nothing
    Left out: boosting, kswapd_failures
    """
    priority = DEF_PRIORITY
    wanted = max(KSWAPD_HIGH_PAGES, SWAP_CLUSTER_MAX)
    zone.reclaim_active = ZONE
    while priority >= 1:
        if pgdat_balanced():
            break
        to_scan = lru_scan_target(False, priority)
        freed = shrink_lruvec(priority, wanted, True, False)
        kswapd_round_done()
        if freed == 0 or to_scan < wanted:
            priority -= 1
    zone.reclaim_active = 0
    snapshot_refaults()


@role
def kswapd():
    """Keep memory free, for ever.

    Source: kswapd, mm/vmscan.c, 6.12
    Context: a thread without an address space
    Returns: never
    Left out: freezing, one kswapd per node
    """
    while True:
        if kswapd_prepare_to_sleep():
            wait(current.wait_woken, on=lruvec)
            current.wait_woken = False
        balance_pgdat()


def reclaim_once():
    """Memory pressure for the checker: one folio, any folio, is tried.

    Source: kswapd, one round, mm/vmscan.c, 6.12
    Context: a thread of its own; no lock held before or after
    Returns: nothing
    Left out: nothing
    """
    shrink_any_folio()

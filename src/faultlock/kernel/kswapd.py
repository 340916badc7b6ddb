# SPDX-License-Identifier: GPL-2.0-only
"""Who reclaims and when: direct reclaim, kswapd, and a reclaimer for the checker (mm/vmscan.c)."""


def try_to_free_pages() -> int:
    """Direct reclaim: an allocation found no memory.

    Source: try_to_free_pages, do_try_to_free_pages, mm/vmscan.c, 6.12
    Context: whatever the allocating thread holds; sleeps only for i_mmap_rwsem
    Returns: pages freed
    Left out: throttle_direct_reclaim, compaction
    """
    emit("DIRECT_RECLAIM_BEGIN")
    reclaimed = 0
    if LRU == 0:
        reclaimed = shrink_any_folio()
        return reclaimed
    priority = DEF_PRIORITY
    while priority >= 0 and reclaimed < SWAP_CLUSTER_MAX:
        freed = shrink_lruvec(priority, SWAP_CLUSTER_MAX)
        reclaimed += freed
        priority -= 1
    emit("DIRECT_RECLAIM_END", reclaimed)
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


@atomic
def wakeup_kswapd():
    """Wake kswapd if it sleeps and free memory is below its low watermark.

    Source: wakeup_kswapd, mm/vmscan.c, 6.12
    Context: any
    Returns: nothing
    Left out: nodes, orders
    """
    if lruvec.kswapd is None or KSWAPD_LOW_PAGES == 0:
        return
    if MEMORY_PAGES - memory.used_pages < KSWAPD_LOW_PAGES:
        thread = lruvec.kswapd
        lruvec.kswapd = None
        thread.wait_woken = True


@atomic
def kswapd_prepare_to_sleep() -> bool:
    """Go to sleep unless memory is short.

    Source: kswapd_try_to_sleep, mm/vmscan.c, 6.12
    Context: kswapd
    Returns: True if kswapd now sleeps
    Left out: the short first sleep
    """
    if MEMORY_PAGES - memory.used_pages < KSWAPD_LOW_PAGES:
        return False
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
    return MEMORY_PAGES - memory.used_pages >= KSWAPD_HIGH_PAGES


def balance_pgdat():
    """Reclaim until the high watermark is reached or nothing more can be had.

    Source: balance_pgdat, mm/vmscan.c, 6.12
    Context: kswapd
    Returns: nothing
    Left out: boosting, kswapd_failures
    """
    priority = DEF_PRIORITY
    while priority >= 1:
        if pgdat_balanced():
            return
        freed = shrink_lruvec(priority, max(KSWAPD_HIGH_PAGES, SWAP_CLUSTER_MAX))
        if freed < SWAP_CLUSTER_MAX:
            priority -= 1


def kswapd():
    """Keep memory free, for ever.  Run it as a daemon thread.

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

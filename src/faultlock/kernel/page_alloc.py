# SPDX-License-Identifier: GPL-2.0-only
"""Memory for folios and private pages (mm/page_alloc.c, mm/memcontrol.c).

MEMORY_PAGES 0: only the pools limit, or a memory cgroup (memcontrol.py).  ZONE 0: a page is there or not.
ZONE 1: one zone with its watermarks and one per-CPU list; pages on that list are not free for the
watermarks, so an allocation may have to reclaim although the list has pages.

# Model: one per-CPU list for all CPUs.
"""

PCP_BATCH_SCALE_MAX = 5
BUFFER_HEADS_PER_PAGE = 39
MAX_RECLAIM_RETRIES = 16


@atomic
def zone_free_pages() -> int:
    """Pages on the zone's free lists (NR_FREE_PAGES).

    Source: zone_page_state, include/linux/vmstat.h, 6.12
    Context: any
    Returns: pages
    Left out: slab pages but those of buffer heads
    """
    if ZONE == 0:
        return MEMORY_PAGES - memory.used_pages
    pages = MEMORY_PAGES - memory.used_pages - zone.pcp_count
    return pages - (zone.buffer_heads + BUFFER_HEADS_PER_PAGE - 1) // BUFFER_HEADS_PER_PAGE


# ---- the per-CPU list -------------------------------------------------------------------------------


@atomic
def nr_pcp_alloc() -> int:
    """How many pages the per-CPU list takes from the zone: more each time if nothing is freed.

    Source: nr_pcp_alloc, mm/page_alloc.c, 6.12
    Context: the list is empty
    Returns: pages
    Left out: orders above 0
    """
    zone.pcp_high = max(min(zone.pcp_high, PCP_HIGH_MAX), PCP_HIGH_MIN)
    batch = PCP_BATCH << zone.pcp_alloc_factor
    if zone.below_high == 0:
        zone.pcp_high = min(zone.pcp_high + batch, PCP_HIGH_MAX)
    most = max(zone.pcp_high - zone.pcp_count - PCP_BATCH, PCP_BATCH)
    if batch <= most and zone.pcp_alloc_factor < PCP_BATCH_SCALE_MAX:
        zone.pcp_alloc_factor += 1
    return min(batch, most)


@atomic
def rmqueue_pcplist(nr: int):
    """Take nr pages from the per-CPU list.

    Source: rmqueue_pcplist, mm/page_alloc.c, 6.12
    Context: the watermark was looked at
    Returns: nothing
    Left out: large folios come from the same list
    """
    zone.pcp_free_count = zone.pcp_free_count >> 1
    if zone.pcp_count < nr:
        batch = max(nr_pcp_alloc(), nr)
        zone.pcp_count += min(batch, zone_free_pages())
    zone.pcp_count -= nr


@atomic
def nr_pcp_high() -> int:
    """How long the per-CPU list may be now: short while memory is reclaimed.

    Source: nr_pcp_high, mm/page_alloc.c, 6.12
    Context: pages were put on the list
    Returns: pages
    Left out: free_high (orders above 0)
    """
    high = max(min(zone.pcp_high, PCP_HIGH_MAX), PCP_HIGH_MIN)
    zone.pcp_high = high
    free_count = max(zone.pcp_free_count, PCP_BATCH)
    if zone.reclaim_active == 1:
        zone.pcp_high = max(high - free_count, PCP_HIGH_MIN)
        return min(PCP_BATCH << 2, zone.pcp_high)
    if zone.below_high == 1:
        zone.pcp_high = max(high - free_count, PCP_HIGH_MIN)
        return max(zone.pcp_count, PCP_HIGH_MIN)
    if zone.pcp_count >= high:
        need = zone.pcp_free_count + PCP_BATCH
        if zone.pcp_high < need:
            zone.pcp_high = max(min(need, PCP_HIGH_MAX), PCP_HIGH_MIN)
    return high


@atomic
def free_unref_page(nr: int):
    """Put nr pages on the per-CPU list, and what is too much there into the zone.

    Source: free_unref_page_commit, nr_pcp_free, mm/page_alloc.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    zone.pcp_alloc_factor = zone.pcp_alloc_factor >> 1
    zone.pcp_count += nr
    if zone.pcp_free_count < PCP_BATCH << PCP_BATCH_SCALE_MAX:
        zone.pcp_free_count += nr
    high = nr_pcp_high()
    if zone.pcp_count >= high:
        batch = max(min(zone.pcp_free_count, high - PCP_BATCH), PCP_BATCH)
        zone.pcp_count -= min(batch, zone.pcp_count)
        if zone.below_high == 1 and zone_free_pages() > KSWAPD_HIGH_PAGES:
            zone.below_high = 0


@atomic
def drain_all_pages():
    """Give the per-CPU list back to the zone.

    Source: drain_all_pages, mm/page_alloc.c, 6.12
    Context: direct reclaim was not enough
    Returns: nothing
    Left out: other CPUs
    """
    if ZONE == 1:
        zone.pcp_count = 0


# ---- pages --------------------------------------------------------------------------------------------


@atomic
def get_page_from_freelist(nr: int, watermark: int) -> bool:
    """Take nr pages if more than `watermark` are free.

    Source: get_page_from_freelist, mm/page_alloc.c, 6.12
    Context: any
    Returns: True if there were enough
    Left out: other zones, cpusets, dirty limits
    """
    pages = zone_free_pages() - (nr - 1)
    if ZONE == 1:
        if pages <= KSWAPD_HIGH_PAGES:
            zone.below_high = ZONE
    if pages <= watermark:
        return False
    if ZONE == 1:
        rmqueue_pcplist(nr)
    memory.used_pages += nr
    return True


@atomic
def memory_charge(nr: int) -> bool:
    """Take nr pages of memory, kswapd being woken below the low watermark.

    Source: __alloc_pages_noprof, start of __alloc_pages_slowpath, mm/page_alloc.c;
    mem_cgroup_charge, mm/memcontrol.c, 6.12
    Context: any; does not reclaim
    Returns: True if there was enough
    Left out: ALLOC_HIGH, ALLOC_HARDER
    """
    if MEMCG == 1:
        return page_counter_try_charge(nr)
    if MEMORY_PAGES == 0:
        return True
    if ZONE == 1:
        if get_page_from_freelist(nr, KSWAPD_LOW_PAGES):
            return True
    wakeup_kswapd()
    return get_page_from_freelist(nr, WMARK_MIN_PAGES)


@atomic
def memory_uncharge(nr: int):
    """Give nr pages of memory back.

    Source: free_unref_folios, mm/page_alloc.c; mem_cgroup_uncharge, mm/memcontrol.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    page_counter_uncharge(nr)
    if MEMORY_PAGES > 0:
        memory.used_pages -= min(nr, memory.used_pages)
        if ZONE == 1:
            free_unref_page(nr)


def __alloc_pages_direct_reclaim(nr: int) -> bool:
    """Reclaim, then try again; at last with what is on the per-CPU list.

    Source: __alloc_pages_direct_reclaim, mm/page_alloc.c, 6.12
    Context: may sleep, whatever locks are held
    Returns: True if there were nr pages now
    Left out: highatomic reserves, memory pressure stall accounting
    """
    emit("ALLOCSTALL")
    if not throttle_direct_reclaim():
        try_to_free_pages()
    if get_page_from_freelist(nr, WMARK_MIN_PAGES):
        return True
    drain_all_pages()
    return get_page_from_freelist(nr, WMARK_MIN_PAGES)


def __alloc_pages_slowpath(nr: int, no_retry: bool) -> bool:
    """Memory is short: reclaim and try again.

    Source: __alloc_pages_slowpath, should_reclaim_retry, mm/page_alloc.c, 6.12
    Context: an attempt without reclaim failed; may sleep in reclaim, uninterruptible, whatever locks are held
    Returns: True if there are pages
    Left out: compaction, the OOM killer; more than one attempt where there is no zone
    """
    if DIRECT_RECLAIM == 0:
        return False
    if ZONE == 0:
        try_to_free_pages()
        return memory_charge(nr)
    tries = 0
    while tries < MAX_RECLAIM_RETRIES:
        if __alloc_pages_direct_reclaim(nr):
            return True
        if no_retry:
            return False
        tries += 1
    return False


def alloc_pages(nr: int, no_retry: bool) -> bool:
    """Take nr pages; when memory is short, reclaim first.

    Source: __alloc_pages_noprof, mm/page_alloc.c, 6.12
    Context: may sleep in reclaim, uninterruptible, whatever locks are held
    Returns: True if there are pages
    Left out: nothing
    """
    if MEMCG == 1:
        return try_charge_memcg(nr, no_retry)
    if memory_charge(nr):
        return True
    return __alloc_pages_slowpath(nr, no_retry)


# ---- folios ---------------------------------------------------------------------------------------------


@atomic
def folio_alloc(index: int, order: int) -> Folio:
    """A new folio for file index `index`, with one reference, unlocked.

    Source: filemap_alloc_folio (page allocator), mm/filemap.c, 6.12
    Context: any; does not reclaim
    Returns: the folio, or None when memory is short
    Left out: fragmentation
    """
    if not memory_charge(1 << order):
        return None
    return folio_from_pages(index, order)


@atomic
def folio_from_pages(index: int, order: int) -> Folio:
    """Make a folio of pages that were taken.

    Source: page_rmappable_folio, prep_new_page, mm/page_alloc.c, 6.12
    Context: any
    Returns: the folio, or None when the pool is empty
    Left out: nothing
    """
    folio = alloc(Folio)
    if folio is None:
        memory_uncharge(1 << order)
        return None
    folio.index = index
    folio.order = order
    folio.refcount = 1
    return folio


def filemap_alloc_folio(index: int, order: int, no_retry: bool) -> Folio:
    """A new folio; when memory is short, after direct reclaim (readahead: one attempt).

    Source: filemap_alloc_folio, mm/filemap.c; readahead_gfp_mask, include/linux/pagemap.h, 6.12
    Context: may sleep in reclaim, uninterruptible, whatever locks are held
    Returns: the folio, or None
    Left out: nothing
    """
    cpu("filemap_alloc_folio")
    cpu("prep_compound_tail", (1 << order) - 1)
    if MEMCG == 1:
        if not try_charge_memcg(1 << order, no_retry):
            return None
        return folio_from_pages(index, order)
    folio = folio_alloc(index, order)
    if folio is None:
        if __alloc_pages_slowpath(1 << order, no_retry):
            folio = folio_from_pages(index, order)
    return folio


@atomic
def create_empty_buffers(folio: Folio):
    """A folio read by itself has a buffer head for each page: slab memory.

    Source: create_empty_buffers, fs/buffer.c, 6.12
    Context: folio locked
    Returns: nothing
    Left out: file systems without buffer heads (iomap)
    """
    if ZONE == 1:
        if folio.has_buffers == 0:
            folio.has_buffers = ZONE
            zone.buffer_heads += 1 << folio.order


@atomic
def drop_buffers(folio: Folio):
    """Free a folio's buffer heads.

    Source: try_to_free_buffers, fs/buffer.c, 6.12
    Context: folio locked, on its way out of the cache
    Returns: nothing
    Left out: busy buffers; half-empty slab pages
    """
    if ZONE == 1:
        if folio.has_buffers == 1:
            folio.has_buffers = 0
            zone.buffer_heads -= 1 << folio.order

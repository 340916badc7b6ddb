# SPDX-License-Identifier: GPL-2.0-only
"""Which folios reclaim looks at: how much of each list, in which batches (mm/vmscan.c, shrink_lruvec).

What becomes of a folio that was chosen is in shrink_folio_list.py.
"""

STAT_THRESHOLD: Param = 0  # pgdat->per_cpu_nodestats stat_threshold

DEF_PRIORITY = 12
GIB_SHIFT = 18  # of pages


@atomic
def isolate_lru_folios(active: bool, nr_to_scan: int) -> Folio:
    """Take the coldest folios off a list: nobody else finds them until they are put back.

    Source: isolate_lru_folios, mm/vmscan.c, 6.12
    Context: lru_lock
    Returns: the first of a chain by lru_next, or None when the list is empty
    Left out: zones, compaction
    """
    first: Folio = None
    last: Folio = None
    scanned = 0
    while scanned < nr_to_scan:
        folio = lruvec.active_tail if active else lruvec.inactive_tail
        if folio is None:
            return first
        folio_isolate_lru(folio)
        scanned += folio_nr_pages(folio)
        if first is None:
            first = folio
        else:
            last.lru_next = folio
        last = folio
    return first


@atomic
def folios_at_tail(active: bool, nr_to_scan: int) -> int:
    """How many folios isolate_lru_folios() would take for so many pages.

    Source: nr_taken of isolate_lru_folios, mm/vmscan.c, 6.12
    Context: lru_lock
    Returns: folios
    Left out: nothing
    """
    if LARGE_FOLIOS == 0:
        return nr_to_scan
    taken = 0
    pages = 0
    folio = lruvec.active_tail if active else lruvec.inactive_tail
    while folio is not None and pages < nr_to_scan:
        taken += 1
        pages += folio_nr_pages(folio)
        folio = folio.lru_prev
    return taken


@atomic
def isolated_next(folio: Folio) -> Folio:
    """Take the first folio off a chain of isolated ones.

    Source: list_del in shrink_folio_list, mm/vmscan.c, 6.12
    Context: folio isolated
    Returns: the next one, or None
    Left out: nothing
    """
    following = folio.lru_next
    folio.lru_next = None
    return following


@atomic
def isolated_pages(chain: Folio) -> int:
    """How many pages the folios of a chain have.

    Source: nr_taken of isolate_lru_folios, mm/vmscan.c, 6.12
    Context: folios isolated
    Returns: pages
    Left out: nothing
    """
    nr = 0
    folio = chain
    while folio is not None:
        nr += folio_nr_pages(folio)
        folio = folio.lru_next
    return nr


def account_isolated(nr: int):
    """Count pages that are off the lists (NR_ISOLATED_FILE); wake those who wait for them.

    Source: shrink_inactive_list, shrink_active_list, mm/vmscan.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    if VMSCAN == 1:
        cpu_number = choose(0, N_CPUS, "smp_processor_id")
        mod_node_isolated(cpu_number, nr)


@atomic
def mod_node_isolated(cpu_number: int, nr: int):
    """Each CPU keeps its own count until that is too large: nobody else sees it before.

    Source: __mod_node_page_state, mm/vmstat.c, 6.12
    Context: any
    Returns: nothing
    Left out: vmstat_update(), which gives the counts to the node once a second
    """
    count: int = lruvec.isolated_diff[cpu_number] + nr
    if count > STAT_THRESHOLD or count < -STAT_THRESHOLD:
        lruvec.nr_isolated += count
        count = 0
    lruvec.isolated_diff[cpu_number] = count
    lruvec.isolated += nr
    if lruvec.isolated == 0:
        wake_throttled(False)


def isolate_any_folio() -> Folio:
    """Without lists: isolate any folio of the page cache, or none.

    Source: isolate_lru_folios, mm/vmscan.c, 6.12
    Context: any
    Returns: the folio, or None
    Left out: the order of the LRU: the checker looks at every choice
    """
    folio: Folio = choose(0, N_FOLIOS + 1, "reclaim_folio", where=folio is None or folio_is_isolatable(folio))
    if folio is None:
        return None
    with atomic:  # 8.3.1
        if not folio_is_isolatable(folio):
            return None
        folio_isolate_lru(folio)
        return folio


@atomic
def folio_is_isolatable(folio: Folio) -> bool:
    """Is the folio on the LRU with a reference that keeps it?

    Source: folio_try_get and folio_test_clear_lru in isolate_lru_folios, mm/vmscan.c, 6.12
    Context: lru_lock
    Returns: True if so
    Left out: nothing
    """
    return folio.lru and folio.refcount > 0


def shrink_active_list(nr_to_scan: int):
    """Move folios from the tail of the active list to the inactive list.

    Source: shrink_active_list, mm/vmscan.c, 6.12
    Context: any; no lock held
    Returns: nothing
    Left out: stripping buffers
    """
    taken = folios_at_tail(True, nr_to_scan)
    cpu("lru_lock", taken)
    chain = isolate_lru_folios(True, nr_to_scan)
    nr_taken = isolated_pages(chain)
    account_isolated(nr_taken)
    while chain is not None:
        folio = chain
        chain = isolated_next(folio)
        cpu("shrink_folio")
        cpu("folio_referenced", 1)
        rotate = folio_referenced_executable(folio)
        cpu("clear_young", current.ptes_batched)
        deactivate_folio(folio, not rotate)
    cpu("lru_lock", taken)
    account_isolated(-nr_taken)


@atomic
def folio_referenced_executable(folio: Folio) -> bool:
    """Was an executable mapping of the folio used?  Clears all accessed bits.

    Source: folio_referenced in shrink_active_list, mm/vmscan.c, 6.12
    Context: any; a locked folio counts as referenced
    Returns: True: one more trip around the active list
    Left out: contention on i_mmap_rwsem
    """
    if TLB == 1:
        current.ptes_batched = 0  # of the last walk
    if folio.locked or folio.mapping is None:
        return False
    executable = False
    vma = rmap_next(folio, None)
    while vma is not None:
        if folio_referenced_one(folio, vma) > 0:
            executable = executable or vma.vm_flags & VM_EXEC != 0
        vma = rmap_next(folio, vma)
    return executable


@atomic
def deactivate_folio(folio: Folio, inactive: bool):
    """Put an isolated active folio back: active again, or inactive and marked workingset.

    Source: shrink_active_list, mm/vmscan.c, 6.12
    Context: folio isolated
    Returns: nothing
    Left out: nothing
    """
    emit("PGREFILL", folio_nr_pages(folio))
    if inactive:
        folio.active = False
        folio.workingset = True
        emit("PGDEACTIVATE", folio_nr_pages(folio))
    move_folio_to_lru(folio)


@atomic
def inactive_is_low() -> bool:
    """Is the inactive list too short against the active one?

    Source: inactive_is_low, mm/vmscan.c, 6.12
    Context: any
    Returns: True if folios should be deactivated
    Left out: nothing
    """
    if LRU < 2:
        return False
    inactive = lruvec_nr_inactive()
    ratio = 1
    ten_gib = 10 * ((inactive + lruvec_nr_active()) >> GIB_SHIFT)
    while (ratio + 1) * (ratio + 1) <= ten_gib:  # int_sqrt
        ratio += 1
    return inactive * ratio < lruvec_nr_active()


@atomic
def may_deactivate() -> bool:
    """Are active folios to be looked at: too many of them, or pages came back lately?

    Source: prepare_scan_control, mm/vmscan.c, 6.12
    Context: any
    Returns: True if so
    Left out: nothing
    """
    return inactive_is_low() or lruvec.stat_activations != lruvec.seen_activations


@atomic
def snapshot_refaults():
    """Remember that all pages which came back until now were seen.

    Source: snapshot_refaults, mm/vmscan.c, 6.12
    Context: at the end of direct reclaim and of kswapd's work
    Returns: nothing
    Left out: nothing
    """
    lruvec.seen_activations = lruvec.stat_activations


@atomic
def lru_scan_target(active: bool, priority: int) -> int:
    """How many pages of a list one round looks at.

    Source: get_scan_count (SCAN_FILE), mm/vmscan.c, 6.12
    Context: any
    Returns: pages
    Left out: anonymous lists (no swap)
    """
    size = lruvec.nr_active if active else lruvec.nr_inactive
    return size >> priority


@atomic
def too_many_isolated() -> bool:
    """Have others taken so many folios off the lists that there is hardly anything left?

    Source: too_many_isolated, wake_throttle_isolated, mm/vmscan.c, 6.12
    Context: direct reclaim (kswapd does not ask)
    Returns: True if so; False also wakes those who wait because of it
    Left out: NOFS of file systems outside readahead
    """
    limit: int = lruvec.nr_inactive if current.memalloc_nofs else lruvec.nr_inactive >> 3
    if lruvec.nr_isolated > limit:
        return True
    wake_throttled(False)
    return False


def shrink_inactive_list(nr_to_scan: int, by_kswapd: bool) -> int:
    """Try to reclaim folios from the tail of the inactive list.

    Source: shrink_inactive_list, mm/vmscan.c, 6.12
    Context: any; no lock held
    Returns: pages freed
    Left out: throttling on congested or dirty folios
    """
    if VMSCAN == 1 and not by_kswapd:
        if reclaim_throttle_begin():
            wait(current.wait_woken, on=lruvec)
            if too_many_isolated():
                return 0
    reclaimed = 0
    kept = folios_at_tail(False, nr_to_scan)
    cpu("lru_lock", kept)
    chain = isolate_lru_folios(False, nr_to_scan)  # 8.3.1
    nr_taken = isolated_pages(chain)
    account_isolated(nr_taken)
    while chain is not None:
        folio = chain
        chain = isolated_next(folio)
        nr = folio_nr_pages(folio)
        if by_kswapd:
            emit("PGSCAN_KSWAPD", nr)
        else:
            emit("PGSCAN_DIRECT", nr)
        freed = shrink_folio(folio)
        if freed > 0:
            if by_kswapd:
                emit("PGSTEAL_KSWAPD", freed)
            else:
                emit("PGSTEAL_DIRECT", freed)
            kept -= 1
        reclaimed += freed
    try_to_unmap_flush()
    cpu("lru_lock", max(kept, 0))
    account_isolated(-nr_taken)
    return reclaimed


def shrink_lruvec(priority: int, nr_to_reclaim: int, by_kswapd: bool, force_deactivate: bool) -> int:
    """One round over both lists in batches of 32.

    Source: shrink_node, shrink_lruvec, mm/vmscan.c, 6.12
    Context: any; no lock held
    Returns: pages freed
    Left out: anonymous lists (no swap); slab caches have nothing to free
    """
    cpu("shrink_node")
    deactivate = force_deactivate or may_deactivate()
    inactive_left = lru_scan_target(False, priority)
    active_left = lru_scan_target(True, priority)
    proportional = priority == DEF_PRIORITY and not by_kswapd and MEMCG == 0
    reclaimed = 0
    scanned = 0
    while inactive_left > 0 or active_left > 0:
        batch = min(active_left, SWAP_CLUSTER_MAX)
        active_left -= batch
        if batch > 0 and deactivate:
            shrink_active_list(batch)
        batch = min(inactive_left, SWAP_CLUSTER_MAX)
        inactive_left -= batch
        if batch > 0:
            freed = shrink_inactive_list(batch, by_kswapd)
            reclaimed += freed
            scanned += batch
        if reclaimed >= nr_to_reclaim and not proportional:
            break
    vmpressure(scanned)
    return reclaimed

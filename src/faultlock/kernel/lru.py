# SPDX-License-Identifier: GPL-2.0-only
"""The LRU lists of file folios (mm/swap.c, mm/workingset.c): which folio reclaim meets first.

Parameter LRU: 0 keeps no lists (the checker lets reclaim choose any folio), 1 one list in
order of insertion, 2 the kernel's inactive and active lists with refault detection.

# Model: folios go to the lists at once; the kernel collects small ones in per-CPU batches of 31.  With a memory
# cgroup lru_lock is taken once for each such batch (of the thread).
"""

FLUSH_TIME_US: Param = 2000000  # less: somebody reads memory.stat
PAGEVEC_SIZE = 31
GAP_US = 300000  # between two workloads: a flush then finds empty lists


@atomic
def lru_list_add(folio: Folio):
    """Put a folio at the head of the list it belongs to.

    Source: lruvec_add_folio, include/linux/mm_inline.h, 6.12
    Context: lru_lock
    Returns: nothing
    Left out: nothing
    """
    if LRU == 0:
        return
    nr = 1 << folio.order
    folio.lru_prev = None
    if folio.active:
        folio.lru_next = lruvec.active_head
        if lruvec.active_head is None:
            lruvec.active_tail = folio
        else:
            lruvec.active_head.lru_prev = folio
        lruvec.active_head = folio
        lruvec.nr_active += nr
    else:
        folio.lru_next = lruvec.inactive_head
        if lruvec.inactive_head is None:
            lruvec.inactive_tail = folio
        else:
            lruvec.inactive_head.lru_prev = folio
        lruvec.inactive_head = folio
        lruvec.nr_inactive += nr


@atomic
def lru_list_del(folio: Folio):
    """Take a folio out of its list.

    Source: lruvec_del_folio, include/linux/mm_inline.h, 6.12
    Context: lru_lock
    Returns: nothing
    Left out: nothing
    """
    if LRU == 0:
        return
    nr = 1 << folio.order
    if folio.lru_next is not None:
        folio.lru_next.lru_prev = folio.lru_prev
    elif folio.active:
        lruvec.active_tail = folio.lru_prev
    else:
        lruvec.inactive_tail = folio.lru_prev
    if folio.lru_prev is not None:
        folio.lru_prev.lru_next = folio.lru_next
    elif folio.active:
        lruvec.active_head = folio.lru_next
    else:
        lruvec.inactive_head = folio.lru_next
    if folio.active:
        lruvec.nr_active -= nr
    else:
        lruvec.nr_inactive -= nr
    folio.lru_next = None
    folio.lru_prev = None


@atomic
def folio_add_lru(folio: Folio):
    """A folio enters the LRU: new in the cache, or put back.

    Source: folio_add_lru, mm/swap.c, 6.12
    Context: reference held
    Returns: nothing
    Left out: unevictable folios (a folio of a VM_LOCKED mapping is kept when reclaim meets it)
    """
    folio.lru = True
    lru_list_add(folio)


@atomic
def folio_batch_add(order: int) -> int:
    """A folio goes into the batch of those that lru_lock is taken for.

    Source: folio_batch_add, include/linux/pagevec.h; folio_batch_add_and_move, mm/swap.c, 6.12
    Context: the folio is new in the page cache
    Returns: folios that are moved to the lists now: a full batch, or all of it with a large folio
    Left out: nothing
    """
    batch = current.lru_add + 1
    if order == 0 and batch < PAGEVEC_SIZE:
        current.lru_add = batch
        return 0
    current.lru_add = 0
    return batch


def folio_batch_add_and_move(order: int):
    """Take lru_lock for new folios, if there is a batch of them.

    Source: folio_batch_add_and_move, folio_batch_move_lru, mm/swap.c, 6.12
    Context: a folio of this order was inserted
    Returns: nothing
    Left out: lru_lock without a memory cgroup (part of filemap_alloc_folio)
    """
    if MEMCG == 1:
        moved = folio_batch_add(order)
        if moved > 0:
            cpu("lru_lock", moved)


@atomic
def folio_del_lru(folio: Folio):
    """A folio leaves the LRU because it is freed.

    Source: __page_cache_release, mm/swap.c, 6.12
    Context: last reference dropped
    Returns: nothing
    Left out: nothing
    """
    if folio.lru:
        lru_list_del(folio)
        folio.lru = False


@atomic
def folio_isolate_lru(folio: Folio) -> bool:
    """Take a folio off the LRU, with a reference for the list it goes to.

    Source: folio_isolate_lru, mm/vmscan.c, 6.12
    Context: the folio cannot vanish
    Returns: True; False if somebody else has it isolated
    Left out: nothing
    """
    if not folio.lru:
        return False
    lru_list_del(folio)
    folio.lru = False
    folio.refcount += 1
    folio.extra_refs += 1
    return True


@atomic
def folio_putback_lru(folio: Folio):
    """Give an isolated folio back to the LRU and drop the isolation's reference.

    Source: folio_putback_lru, mm/vmscan.c, 6.12
    Context: folio was isolated
    Returns: nothing
    Left out: nothing
    """
    folio_add_lru(folio)
    folio.extra_refs -= 1
    folio_ref_sub(folio, 1)


@atomic
def workingset_age_nonresident(nr: int):
    """The list moved on by nr pages: evicted pages got older.

    Source: workingset_age_nonresident, mm/workingset.c, 6.12
    Context: any
    Returns: nothing
    Left out: memory cgroups
    """
    if LRU == 2:
        lruvec.nonresident_age = (lruvec.nonresident_age + nr) & AGE_MASK


@atomic
def folio_activate(folio: Folio):
    """Move a folio to the active list.

    Source: folio_activate, workingset_activation, mm/swap.c, mm/workingset.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    if LRU < 2 or folio.active:
        return
    if folio.lru:
        lru_list_del(folio)
        folio.active = True
        lru_list_add(folio)
    else:
        folio.active = True
    emit("PGACTIVATE", 1 << folio.order)
    workingset_age_nonresident(1 << folio.order)


@atomic
def folio_mark_accessed(folio: Folio):
    """A page was used by read(2), or its accessed entry is going away.

    Source: folio_mark_accessed, mm/swap.c, 6.12
    Context: reference held
    Returns: nothing
    Left out: idle page tracking, multi-generation LRU
    """
    if LRU < 2:
        return
    if not folio.referenced:
        folio.referenced = True
    elif not folio.active:
        folio_activate(folio)
        folio.referenced = False


@atomic
def lruvec_nr_active() -> int:
    """How long the active list is, as far as reclaim knows.

    Source: lruvec_page_state, mm/memcontrol.c, 6.12
    Context: any
    Returns: pages; with memory cgroups as of the last flush of the statistics
    Left out: nothing
    """
    if VMSCAN == 1:
        return lruvec.stat_active
    return lruvec.nr_active


@atomic
def lruvec_nr_inactive() -> int:
    """How long the inactive list is, as far as reclaim knows.

    Source: lruvec_page_state, mm/memcontrol.c, 6.12
    Context: any
    Returns: pages; with memory cgroups as of the last flush of the statistics
    Left out: nothing
    """
    if VMSCAN == 1:
        return lruvec.stat_inactive
    return lruvec.nr_inactive


@atomic
def flush_memcg_stats():
    """What was counted on each CPU becomes what lruvec_page_state() says.

    Source: do_flush_stats, mem_cgroup_css_rstat_flush, mm/memcontrol.c, 6.12
    Context: work item
    Returns: nothing
    Left out: readers of memory.stat, who flush too
    """
    lruvec.stat_inactive = lruvec.nr_inactive
    lruvec.stat_active = lruvec.nr_active
    lruvec.stat_activations = lruvec.activations


@role
def flush_memcg_stats_dwork():
    """The work item that flushes the statistics of memory cgroups every two seconds.

    Reclaim asks for them only if they are four seconds old, so it may see lists that were long
    or short two seconds ago.  When the first flush comes is left to chance; until then they are as
    the workload before this one left them (STALE_ACTIVE_PAGES).

    Source: flush_memcg_stats_dwork, mem_cgroup_flush_stats_ratelimited, mm/memcontrol.c, 6.12
    Context: work item
    Returns: nothing
    Left out: statistics that are late because the CPU is idle (a deferrable timer); who reads
    memory.stat flushes too, but not at regular times
    """
    first_us = choose(0, FLUSH_TIME_US, "memcg_flush_us")
    if first_us < FLUSH_TIME_US - GAP_US:
        lruvec.stat_active = STALE_ACTIVE_PAGES
        lruvec.stat_inactive = max(MEMORY_PAGES - STALE_ACTIVE_PAGES, 0)
    sleep(first_us)
    while True:
        flush_memcg_stats()
        cpu("flush_memcg_stats")
        sleep(FLUSH_TIME_US)


@atomic
def workingset_eviction(mapping: Mapping, folio: Folio) -> Folio:
    """What is left in the page cache of a folio that reclaim takes away.

    Source: workingset_eviction, mm/workingset.c, 6.12
    Context: xarray lock, folio locked
    Returns: the shadow entry (None in the checker, where nobody looks at it)
    Left out: memory cgroup and node in the shadow
    """
    if LRU == 2:
        for index in range(folio.index, min(folio.index + (1 << folio.order), N_FILE_PAGES)):
            mapping.shadow_age[index] = lruvec.nonresident_age
        workingset_age_nonresident(1 << folio.order)
    if folio.workingset:
        return page_cache.shadow_workingset
    return page_cache.shadow


@atomic
def workingset_refault(mapping: Mapping, folio: Folio, index: Index, was_workingset: bool):
    """A page comes back: straight to the active list if it was evicted only recently.

    Source: workingset_refault, workingset_test_recent, mm/workingset.c, 6.12
    Context: a shadow entry was found at index; folio locked
    Returns: nothing
    Left out: swap (anonymous pages do not count in the size of the working set)
    """
    if LRU < 2:
        folio.workingset = was_workingset
        return
    distance = (lruvec.nonresident_age - mapping.shadow_age[index]) & AGE_MASK
    emit("WORKINGSET_REFAULT", folio_nr_pages(folio))
    if distance > lruvec_nr_active():
        return
    emit("WORKINGSET_ACTIVATE", folio_nr_pages(folio))
    if VMSCAN == 1:
        lruvec.activations = (lruvec.activations + 1) & AGE_MASK
    folio.active = True
    workingset_age_nonresident(1 << folio.order)
    if was_workingset:
        folio.workingset = True

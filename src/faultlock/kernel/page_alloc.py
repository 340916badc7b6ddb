# SPDX-License-Identifier: GPL-2.0-only
"""Memory for folios and private pages (mm/page_alloc.c, mm/memcontrol.c).
"""


@atomic
def memory_charge(nr: int) -> bool:
    """Take nr pages of memory.

    Source: mem_cgroup_charge, mm/memcontrol.c, 6.12
    Context: any
    Returns: True if there was enough
    Left out: hierarchy, per-CPU stocks, watermarks of the zones
    """
    if MEMORY_PAGES > 0:
        if memory.used_pages + nr > MEMORY_PAGES:
            return False
        memory.used_pages += nr
    return True


@atomic
def memory_uncharge(nr: int):
    """Give nr pages of memory back.

    Source: mem_cgroup_uncharge, mm/memcontrol.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    if MEMORY_PAGES > 0:
        memory.used_pages -= min(nr, memory.used_pages)


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
    wakeup_kswapd()
    folio = alloc(Folio)
    if folio is None:
        memory_uncharge(1 << order)
        return None
    folio.index = index
    folio.order = order
    folio.refcount = 1
    return folio


def filemap_alloc_folio(index: int, order: int) -> Folio:
    """A new folio; when memory is short, after one round of direct reclaim.

    Source: filemap_alloc_folio, mm/filemap.c; __alloc_pages_slowpath, mm/page_alloc.c, 6.12
    Context: may sleep in reclaim, uninterruptible, whatever locks are held
    Returns: the folio, or None
    Left out: repeated rounds of reclaim, compaction, the OOM killer
    """
    cpu("filemap_alloc_folio", 1 << order)
    folio = folio_alloc(index, order)
    if folio is None:
        if DIRECT_RECLAIM == 1:
            try_to_free_pages()
            folio = folio_alloc(index, order)
    return folio

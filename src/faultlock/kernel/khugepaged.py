# SPDX-License-Identifier: GPL-2.0-only
"""khugepaged: replacing small folios of a file by a large one (mm/khugepaged.c; spec 8.9).

# Model: COLLAPSE_ORDER is 9 in the kernel (2 MiB); the checker uses a small one.

Read in 6.12, and kept: the collapse takes invalidate_lock shared while it holds folio locks,
the reverse of the order documented in mm/filemap.c.  A truncation or hole punch that got
invalidate_lock first and waits for one of those folios deadlocks with it, for good.
"""

COLLAPSE_ORDER: Param = 9


@atomic
def collapse_lock_folio(mapping: Mapping, index: Index) -> Folio:
    """Lock the folio at index if it can be had at once.

    Source: collapse_file, branch for a folio that is there, mm/khugepaged.c, 6.12
    Context: xarray lock
    Returns: the folio, locked and referenced; None: absent, locked, dirty or under writeback
    Left out: nothing
    """
    folio = filemap_peek(mapping, index)
    if folio is None or folio.dirty or folio.writeback:
        return None
    if folio.locked:
        return None
    folio_get(folio)
    if folio_trylock(folio):
        return folio
    return None


@atomic
def collapse_must_read(mapping: Mapping, index: Index) -> bool:
    """Is nothing at index, so that readahead has to fetch it?

    Source: collapse_file, mm/khugepaged.c, 6.12
    Context: xarray lock
    Returns: True if absent
    Left out: nothing
    """
    return not filemap_is_cached(mapping, index)


def collapse_get_folio(file: File, index: Index, end: Index) -> Folio:
    """Get one small folio of the range, locked.

    Source: collapse_file, first loop, mm/khugepaged.c, 6.12
    Context: no mmap_lock; an absent one: readahead, then folio lock, uninterruptible
    Returns: the folio, locked and referenced; None: the collapse fails
    Left out: shmem
    """
    mapping = file.f_mapping
    if collapse_must_read(mapping, index):
        # Readahead takes invalidate_lock, with the folio locks of the range so far held: the
        # same reversed order as in collapse_file.
        page_cache_sync_ra(file, index, end - index)  # 8.9.3
        return __filemap_get_folio(mapping, index, FGP_LOCK)
    return collapse_lock_folio(mapping, index)  # 8.9.4


@atomic
def collapse_keep(folio: Folio):
    """The range's references and locks are the collapse's from now on.

    Source: list_add_tail to pagelist in collapse_file, mm/khugepaged.c, 6.12
    Context: folio locked, referenced and isolated by current
    Returns: nothing
    Left out: nothing
    """
    forget_folio_reference(folio)
    folio.extra_refs += 1
    current.holds_folio_lock = None


@atomic
def collapse_refs_are_ours(folio: Folio) -> bool:
    """Does anybody but the cache, the isolation and the collapse hold a reference?

    Source: collapse_file (2 + folio_nr_pages), mm/khugepaged.c, 6.12
    Context: xarray lock; folio locked and isolated
    Returns: True if nobody does
    Left out: nothing
    """
    return folio.refcount == 2 + (1 << folio.order)


def collapse_take_folio(mapping: Mapping, folio: Folio) -> bool:
    """Check one folio, unmap it and make sure that nobody else uses it.

    Source: collapse_file, first loop, mm/khugepaged.c, 6.12
    Context: folio locked and referenced; takes i_mmap_rwsem for read
    Returns: True: it is the collapse's; False: folio unlocked and put, the collapse fails
    Left out: private data of the file system
    """
    fits = collapse_folio_fits(mapping, folio)
    if fits:
        if folio.mapcount > 0:
            try_to_unmap(folio)
        if collapse_refs_are_ours(folio):  # 8.9.5
            collapse_keep(folio)
            return True
        folio_putback_lru(folio)
    folio_unlock(folio)
    folio_put(folio)
    return False


@atomic
def collapse_folio_fits(mapping: Mapping, folio: Folio) -> bool:
    """Is the locked folio still a small, clean, uptodate one of this file?  Isolates it if so.

    Source: collapse_file, mm/khugepaged.c, 6.12
    Context: folio locked and referenced
    Returns: True: isolated
    Left out: nothing
    """
    if not folio.uptodate or folio.mapping != mapping or folio.order >= COLLAPSE_ORDER:
        return False
    if folio.dirty or folio.writeback:
        return False
    return folio_isolate_lru(folio)


@atomic
def collapse_rollback(mapping: Mapping, start: Index, end: Index):
    """Give everything back that the collapse has taken of [start, end).

    Source: rollback of collapse_file, mm/khugepaged.c, 6.12
    Context: the folios of the range are the collapse's
    Returns: nothing
    Left out: nothing
    """
    index: int = start
    while index < end:
        folio = mapping.pages[index]
        index = folio_next_index(folio)
        folio_unlock(folio)
        folio_putback_lru(folio)
        folio.extra_refs -= 1
        folio_ref_sub(folio, 1)


@atomic
def collapse_replace(mapping: Mapping, start: Index, new: Folio):
    """Put the large folio in place and free the small ones.

    Source: collapse_file from xas_set_order on, mm/khugepaged.c, 6.12
    Context: xarray lock; small folios locked, unmapped, the collapse's; new locked
    Returns: nothing
    Left out: nothing
    """
    nr = 1 << COLLAPSE_ORDER
    index: int = start
    while index < start + nr:
        old = mapping.pages[index]
        next_index = folio_next_index(old)
        for i in range(index, min(next_index, N_FILE_PAGES)):
            mapping.pages[i] = new
        index = next_index
        old.mapping = None
        folio_unlock(old)
        old_refs = 2 + (1 << old.order)
        old.extra_refs -= 2
        folio_ref_sub(old, old_refs)
    new.mapping = mapping
    new.uptodate = True
    new.refcount += nr - 1
    folio_add_lru(new)
    emit("COLLAPSE", start, nr)


@atomic
def collapse_new_folio(start: Index) -> Folio:
    """Allocate the large folio, locked.

    Source: alloc_charge_folio, mm/khugepaged.c, 6.12
    Context: may fail
    Returns: the folio, or None
    Left out: compaction
    """
    new = folio_alloc(start, COLLAPSE_ORDER)
    if new is None:
        return None
    new.locked = True
    new.locked_by = current
    return new


def collapse_file(file: File, start: Index) -> bool:
    """Replace the small folios of [start, start + 2^order) by one.

    Source: collapse_file, mm/khugepaged.c, 6.12
    Context: no mmap_lock, no VMA lock; holds the folio locks of the range
    Returns: True if done
    Left out: copying errors, nr_thps of the mapping beyond setting it
    """
    mapping = file.f_mapping
    end = start + (1 << COLLAPSE_ORDER)
    new = collapse_new_folio(start)
    if new is None:
        return False
    index: Index = start
    taken = True
    while index < end and taken:
        folio = collapse_get_folio(file, index, end)
        if folio is None:
            taken = False
        else:
            next_index: Index = folio_next_index(folio)
            taken = collapse_take_folio(mapping, folio)
            if taken:
                index = next_index
    if not taken:
        collapse_rollback(mapping, start, index)
        with atomic:
            folio_unlock(new)
            folio_discard(new)
        return False
    if mapping.max_order == 0:
        # As in the kernel, with the folio locks of the range held: against the documented order
        # (invalidate_lock, then folio lock).  A truncation that got invalidate_lock before us and
        # waits for one of these folios in its second pass never ends, and neither do we.
        filemap_invalidate_lock_shared(mapping)  # 8.9.6
        mapping.nr_thps = True
        filemap_invalidate_unlock_shared(mapping)
    cpu("copy_page", 1 << COLLAPSE_ORDER)
    collapse_replace(mapping, start, new)
    unmap_mapping_range(mapping, start, end - 1, False)  # 8.9.7
    folio_unlock(new)
    return True


def khugepaged_scan_file(mm: MM, address: Address) -> bool:
    """Look at the file range that address maps, and collapse it.

    Source: khugepaged_scan_mm_slot, hpage_collapse_scan_file, mm/khugepaged.c, 6.12
    Context: mmap_lock read by trylock, released before the collapse
    Returns: True if something was collapsed
    Left out: anonymous ranges (khugepaged_collapse_anon), the scan's own schedule
    """
    if not mmap_read_trylock(mm):  # 8.9.1
        return False
    vma = vma_lookup(mm, address)
    if vma is None or vma.vm_file is None:
        mmap_read_unlock(mm)
        return False
    file = vma.vm_file
    index = unmapped_index(vma, address)
    get_file(file)  # 8.9.2
    mmap_read_unlock(mm)
    index = (index >> COLLAPSE_ORDER) << COLLAPSE_ORDER
    done = collapse_file(file, index)
    fput(file)
    return done


def khugepaged_collapse_anon(mm: MM, address: Address) -> bool:
    """Collapse an anonymous range: the write locks it takes, not the pages.

    Source: collapse_huge_page, mm/khugepaged.c, 6.12
    Context: mmap_lock write, uninterruptible; vma_start_write, uninterruptible
    Returns: True if the VMA was still there
    Left out: copying, page tables
    """
    mmap_write_lock(mm)  # 8.9.8
    vma = vma_lookup(mm, address)
    found = vma is not None
    if found:
        vma_start_write(vma)
        cpu("collapse_anon")
    mmap_write_unlock(mm)
    return found

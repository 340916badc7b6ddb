# SPDX-License-Identifier: GPL-2.0-only
"""What exists before the first step: building blocks for the set-up of a scenario.

    mm = boot_mm()
    file = boot_file(boot_mapping(4), 0)
    boot_map(mm, file, 0, 4, 0, VM_READ)
"""


@atomic
def boot_mm() -> MM:
    """A new, empty address space; every thread that has none yet belongs to it.

    Source: none
    Context: set-up
    Returns: the mm
    Left out: nothing
    """
    mm = alloc(MM)
    for thread in each(Thread):
        if thread.mm is None:
            thread.mm = mm
            mm.users += 1
    return mm


@atomic
def boot_mapping(pages: Index) -> Mapping:
    """The page cache of a file of `pages` pages on an ordinary file system; nothing is cached.

    Source: none
    Context: set-up
    Returns: the mapping
    Left out: nothing
    """
    mapping = alloc(Mapping)
    mapping.i_size = pages
    mapping.uses_invalidate_lock = True
    return mapping


@atomic
def boot_file(mapping: Mapping, ra_pages: WindowPages) -> File:
    """An open file with that readahead size (0: none).

    Source: none
    Context: set-up
    Returns: the file; only the VMAs that map it hold references
    Left out: nothing
    """
    file = alloc(File)
    file.f_mapping = mapping
    file.ra_pages = ra_pages
    return file


@atomic
def boot_map(mm: MM, file: File, start: Address, pages: Address, pgoff: Index, vm_flags: vm_flags_t) -> VMA:
    """A mapping of [start, start + pages); file None: anonymous memory.

    Source: none
    Context: set-up
    Returns: the VMA
    Left out: nothing
    """
    vma = vm_area_alloc(mm, file, start, start + pages, pgoff, vm_flags)
    vma_insert(mm, vma)
    if file is not None:
        vma_interval_tree_insert(vma)
    return vma


@atomic
def boot_cache(mapping: Mapping, index: Index, order: FolioOrder) -> Folio:
    """A folio in the page cache, uptodate and unlocked.

    Source: none
    Context: set-up
    Returns: the folio
    Left out: nothing
    """
    folio = folio_alloc(index, order)
    nr = 1 << order
    for i in range(index, index + nr):
        mapping.pages[i] = folio
    folio.mapping = mapping
    folio.uptodate = True
    folio.refcount = nr
    folio_add_lru(folio)
    return folio


@atomic
def boot_read(mapping: Mapping, index: Index, nr: Index) -> Request:
    """Pages that are being read: in the cache, locked, the request in flight.

    Source: none
    Context: set-up
    Returns: the request
    Left out: nothing
    """
    for i in range(index, index + nr):
        folio = boot_cache(mapping, i, 0)
        folio.uptodate = False
        folio.locked = True
        folio.reading = True
    request = alloc(Request)
    request.mapping = mapping
    request.index = index
    request.nr = nr
    request.in_flight = True
    return request

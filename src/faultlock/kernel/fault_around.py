# SPDX-License-Identifier: GPL-2.0-only
"""Fault-around: map the cached neighbours of a read fault (mm/memory.c, mm/filemap.c; spec 4.3)."""


@atomic
def filemap_map_candidate(mapping: Mapping, index: int) -> Folio:
    """The folio at index with a reference, if it may be mapped without waiting.

    Source: next_uptodate_folio up to its trylock, mm/filemap.c, 6.12
    Context: RCU; PTL
    Returns: the folio, or None
    Left out: nothing
    """
    if not filemap_is_cached(mapping, index):
        return None
    folio = filemap_peek(mapping, index)
    if folio is None or folio.locked:
        return None
    if not folio.uptodate or folio.readahead:
        return None
    folio_get(folio)
    return folio


@atomic
def filemap_map_lock(mapping: Mapping, folio: Folio, index: int) -> bool:
    """Lock a candidate and look again.

    Source: next_uptodate_folio from its trylock on, mm/filemap.c, 6.12
    Context: RCU; PTL; reference held
    Returns: True: folio locked and fit to be mapped
    Left out: nothing
    """
    if not folio_trylock(folio):
        return False
    if folio.mapping != mapping or not folio.uptodate or filemap_beyond_eof(mapping, index):
        folio_unlock(folio)
        return False
    return True


@atomic
def filemap_map_folio_range(vma: VMA, folio: Folio, address: Address, nr: int) -> int:
    """Map the pages of one locked folio into the empty PTEs of [address, address + nr).

    Source: filemap_map_folio_range, mm/filemap.c, 6.12
    Context: PTL; folio locked and referenced
    Returns: hits for mmap_miss: every page looked at, unless the folio is a refault
    Left out: poisoned pages
    """
    hits = 0
    mapped = 0
    for i in range(0, nr):
        if not folio.workingset:
            hits += 1
        if not pte_present(vma.vm_mm, address + i):
            set_pte(vma, address + i, folio, PTE_ACCESSED)
            mapped += 1
    if TLB == 1:
        current.folios_tried += 1
        current.pages_mapped += mapped
        current.ptes_batched += max(mapped - 1, 0)
    return hits


@atomic
def mmap_miss_hits(hits: int, mapped: bool) -> int:
    """How many hits one fault-around counts.

    Source: filemap_map_pages, mm/filemap.c, 6.12; a later development tree (FAULT_AROUND_HITS=1)
    Context: any
    Returns: hits; in the later form one if the faulting address was mapped, none for a redo
    Left out: nothing
    """
    if FAULT_AROUND_HITS == 0:
        return hits
    if not mapped or (current.vmf_flags & FAULT_FLAG_TRIED) != 0:
        return 0
    return min(hits, 1)


def filemap_map_pages(start_pgoff: int, end_pgoff: int) -> vm_fault_t:
    """Map what is cached of [start_pgoff, end_pgoff] (both included).

    Source: filemap_map_pages, mm/filemap.c, 6.12; 7.0 (large folios are mapped whole)
    Context: fault lock held; RCU and PTL inside; never sleeps
    Returns: NOPAGE if the faulting address was mapped, else 0
    Left out: mapping a huge page by one PMD
    """
    vma = current.vmf_vma
    file = vma.vm_file
    mapping = file.f_mapping
    file_end = mapping.i_size
    end = min(end_pgoff + 1, file_end)
    index = start_pgoff
    hits = 0
    pages = 0
    ret = 0
    while index < end:
        folio = filemap_map_candidate(mapping, index)
        if folio is None:
            index += 1
            continue
        nr = 1
        if filemap_map_lock(mapping, folio, index):
            nr = min(folio_next_index(folio), end) - index
            if KERNEL_VERSION >= 700:
                if folio_fits_mapping(vma, folio):
                    index = folio.index
                    nr = 1 << folio.order
            address = current.vmf_address + index - current.vmf_pgoff
            found = filemap_map_folio_range(vma, folio, address, nr)
            hits += found
            pages += nr
            if index <= current.vmf_pgoff and current.vmf_pgoff < index + nr:
                ret = VM_FAULT_NOPAGE
            folio_unlock(folio)
        folio_put(folio)
        index += nr
    cpu("map_candidate", current.folios_tried)
    cpu("map_page", current.pages_mapped - current.ptes_batched)
    cpu("set_ptes", current.ptes_batched)
    hits = mmap_miss_hits(hits, ret != 0)
    mmap_miss_decrease(file, hits)
    emit("MAP_PAGES", start_pgoff, end_pgoff, pages)
    return ret


def do_fault_around() -> vm_fault_t:
    """Call map_pages for the aligned 16-page block around the fault, inside VMA and page table.

    Source: do_fault_around, mm/memory.c, 6.12
    Context: fault lock held; never sleeps but for the page table
    Returns: NOPAGE, OOM, or 0: go on with ->fault
    Left out: nothing
    """
    address = current.vmf_address
    pgoff = current.vmf_pgoff
    with atomic:
        vma = current.vmf_vma
        vm_start = vma.vm_start
        vm_end = vma.vm_end
        current.pages_mapped = 0
        current.folios_tried = 0
        current.ptes_batched = 0
    table_start = address - address % PTRS_PER_PTE
    start = max(max(address - address % FAULT_AROUND_PAGES, vm_start), table_start)
    end = min(min(start + FAULT_AROUND_PAGES, vm_end), table_start + PTRS_PER_PTE)
    cpu("pte_alloc_one", page_table_missing(address))
    return filemap_map_pages(pgoff - (address - start), pgoff + (end - 1 - address))

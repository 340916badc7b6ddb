# SPDX-License-Identifier: GPL-2.0-only
"""From a file to the VMAs that map it (mm/rmap.c, i_mmap of mm/memory.c).

Nobody's mmap_lock and nobody's VMA lock is needed here: i_mmap_rwsem keeps the list, the
folio lock keeps new entries for the folio out.
"""


@atomic
def i_mmap_acquired(mapping: Mapping, mode: LockMode):
    """Record that the current thread holds i_mmap_rwsem.

    Source: none (ghost state and a lock event)
    Context: i_mmap_rwsem held
    Returns: nothing
    Left out: nothing
    """
    current.holds_i_mmap_rwsem = mapping
    emit("LOCK_ACQUIRED", LOCK_I_MMAP, mapping, mode)


@atomic
def i_mmap_released(mapping: Mapping, mode: LockMode):
    """Record that the current thread no longer holds i_mmap_rwsem.

    Source: none (ghost state and a lock event)
    Context: i_mmap_rwsem held by current
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_i_mmap_rwsem == mapping, "S4 lock balance: i_mmap_rwsem released that is not held"
    current.holds_i_mmap_rwsem = None
    emit("LOCK_RELEASED", LOCK_I_MMAP, mapping, mode)


def i_mmap_lock_read(mapping: Mapping):
    """Keep the list of VMAs that map the file.

    Source: i_mmap_lock_read, include/linux/fs.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    down_read(mapping.i_mmap_rwsem)
    i_mmap_acquired(mapping, LockMode.READ)


@atomic
def i_mmap_trylock_read(mapping: Mapping) -> bool:
    """Keep the list of VMAs if nobody changes it or waits to.

    Source: i_mmap_trylock_read, include/linux/fs.h, 6.12
    Context: does not sleep
    Returns: True if taken
    Left out: nothing
    """
    if not down_read_trylock(mapping.i_mmap_rwsem):
        return False
    i_mmap_acquired(mapping, LockMode.READ)
    return True


@atomic
def i_mmap_unlock_read(mapping: Mapping):
    """Release i_mmap_rwsem held shared.

    Source: i_mmap_unlock_read, include/linux/fs.h, 6.12
    Context: held shared by current
    Returns: nothing
    Left out: nothing
    """
    i_mmap_released(mapping, LockMode.READ)
    up_read(mapping.i_mmap_rwsem)


def i_mmap_lock_write(mapping: Mapping):
    """Take the list of VMAs to change it.

    Source: i_mmap_lock_write, include/linux/fs.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    down_write(mapping.i_mmap_rwsem)
    i_mmap_acquired(mapping, LockMode.WRITE)


@atomic
def i_mmap_unlock_write(mapping: Mapping):
    """Release i_mmap_rwsem held exclusively.

    Source: i_mmap_unlock_write, include/linux/fs.h, 6.12
    Context: held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    i_mmap_released(mapping, LockMode.WRITE)
    up_write(mapping.i_mmap_rwsem)


@atomic
def vma_interval_tree_insert(vma: VMA):
    """Add a VMA to the list of its file.

    Source: vma_interval_tree_insert, mm/interval_tree.c, 6.12
    Context: i_mmap_rwsem held for write
    Returns: nothing
    Left out: order (walkers look at the whole list)
    """
    mapping = vma.vm_file.f_mapping
    vma.next_in_mapping = mapping.i_mmap
    mapping.i_mmap = vma


@atomic
def vma_interval_tree_remove(vma: VMA):
    """Take a VMA off the list of its file.

    Source: vma_interval_tree_remove, mm/interval_tree.c, 6.12
    Context: i_mmap_rwsem held for write
    Returns: nothing
    Left out: nothing
    """
    mapping = vma.vm_file.f_mapping
    if mapping.i_mmap == vma:
        mapping.i_mmap = vma.next_in_mapping
    else:
        before = mapping.i_mmap
        while before.next_in_mapping != vma:
            before = before.next_in_mapping
        before.next_in_mapping = vma.next_in_mapping
    vma.next_in_mapping = None


def vma_link_file(vma: VMA):
    """Let the reverse map know a VMA.

    Source: vma_link_file, mm/vma.c, 6.12
    Context: mmap_lock held for write; takes i_mmap_rwsem for write
    Returns: nothing
    Left out: nothing
    """
    if vma.vm_file is None:
        return
    i_mmap_lock_write(vma.vm_file.f_mapping)
    vma_interval_tree_insert(vma)
    i_mmap_unlock_write(vma.vm_file.f_mapping)


def unlink_file_vma(vma: VMA):
    """Let the reverse map forget a VMA.

    Source: unlink_file_vma, mm/vma.c, 6.12
    Context: page tables of the VMA are empty; takes i_mmap_rwsem for write
    Returns: nothing
    Left out: batches (unlink_file_vma_batch)
    """
    if vma.vm_file is None:
        return
    i_mmap_lock_write(vma.vm_file.f_mapping)
    vma_interval_tree_remove(vma)
    i_mmap_unlock_write(vma.vm_file.f_mapping)


@atomic
def vma_has_recency(vma: VMA) -> bool:
    """Do accesses through this VMA say that a page will be used again?

    Source: vma_has_recency, include/linux/mm_inline.h, 6.12
    Context: any
    Returns: False for MADV_RANDOM and MADV_SEQUENTIAL mappings
    Left out: FMODE_NOREUSE
    """
    return vma.vm_flags & (VM_RAND_READ | VM_SEQ_READ) == 0


@atomic
def vma_address_of_index(vma: VMA, index: Index) -> int:
    """Address at which vma maps a file index.

    Source: vma_address, mm/internal.h, 6.12
    Context: i_mmap_rwsem or mmap_lock
    Returns: the address, -1 if the VMA does not map it
    Left out: nothing
    """
    address = vma.vm_start + index - vma.vm_pgoff
    if address < vma.vm_start or address >= vma.vm_end:
        return -1
    return address


@atomic
def rmap_next(folio: Folio, vma: VMA) -> VMA:
    """The next VMA (the first for None) with an entry for a page of the folio.

    Source: vma_interval_tree_foreach, page_vma_mapped_walk, rwc->done, 6.12
    Context: i_mmap_rwsem held for read, folio locked
    Returns: the VMA, or None
    Left out: nothing
    """
    if folio.mapping is None or folio.mapcount == 0:
        return None
    # Model: the kernel's interval tree finds the few VMAs over an index at once, this list does
    # not.  A folio with one entry is looked for where it was mapped last.
    hint = folio.rmap_hint
    if LRU > 0 and folio.mapcount == 1 and vma_maps_folio(hint, folio):
        return hint if vma is None else None
    candidate = vma.next_in_mapping if vma is not None else folio.mapping.i_mmap
    while candidate is not None:
        if vma_maps_folio(candidate, folio):
            return candidate
        candidate = candidate.next_in_mapping
    return None


@atomic
def vma_maps_folio(vma: VMA, folio: Folio) -> bool:
    """Has the VMA an entry for a page of the folio?

    Source: page_vma_mapped_walk, mm/page_vma_mapped.c, 6.12
    Context: i_mmap_rwsem held for read, folio locked
    Returns: True if it has (False for None, a freed VMA and a VMA of another file)
    Left out: nothing
    """
    if vma is None or vma.vm_file is None or vma.vm_file.f_mapping != folio.mapping:
        return False
    for index in range(folio.index, folio.index + (1 << folio.order)):
        address = vma_address_of_index(vma, index)
        if address >= 0:
            if vma.vm_mm.pte[address] == folio:
                return True
    return False


@atomic
def try_to_unmap_one(folio: Folio, vma: VMA) -> int:
    """Empty all entries of one VMA that map the folio.

    Source: try_to_unmap_one, mm/rmap.c, 6.12
    Context: i_mmap_rwsem held for read, folio locked and referenced; takes the PTL inside
    Returns: number of entries emptied (0 for VM_LOCKED VMAs)
    Left out: dirty bits
    """
    unmapped = 0
    if vma.vm_flags & VM_LOCKED:
        return 0
    for index in range(folio.index, folio.index + (1 << folio.order)):
        address = vma_address_of_index(vma, index)
        if address >= 0:
            if vma.vm_mm.pte[address] == folio:
                pte_clear(vma.vm_mm, address)
                folio_ref_sub(folio, 1)
                unmapped += 1
    if VMSCAN == 1 and unmapped > 0:
        set_tlb_ubc_flush_pending(vma.vm_mm)
    return unmapped


def try_to_unmap(folio: Folio):
    """Remove every page-table entry of a folio, VMA by VMA.

    Source: try_to_unmap, rmap_walk_file, mm/rmap.c, 6.12
    Context: folio locked and referenced; takes i_mmap_rwsem for read
    Returns: nothing; folio.mapcount tells whether something is still mapped
    Left out: nothing
    """
    mapping = folio.mapping
    cpu("rmap_walk_begin")
    i_mmap_lock_read(mapping)
    vma = rmap_next(folio, None)
    while vma is not None:
        cpu("rmap_walk")
        unmapped = try_to_unmap_one(folio, vma)
        cpu("try_to_unmap", unmapped)
        vma = rmap_next(folio, vma)
    i_mmap_unlock_read(mapping)


@atomic
def folio_referenced_one(folio: Folio, vma: VMA) -> int:
    """Count and clear the accessed bits of one VMA's entries.

    Source: folio_referenced_one, invalid_folio_referenced_vma, mm/rmap.c, 6.12
    Context: i_mmap_rwsem held for read; takes the PTL inside
    Returns: 1 if one was set, else 0; VMAs without recency count 0 and keep their bits
    Left out: references of other memory cgroups
    """
    if TLB == 1:
        current.ptes_batched = 0
    if not vma_has_recency(vma):
        return 0
    referenced = 0
    looked_at = 0
    for index in range(folio.index, folio.index + (1 << folio.order)):
        address = vma_address_of_index(vma, index)
        if address >= 0:
            if vma.vm_mm.pte[address] == folio:
                looked_at += 1
                if vma.vm_mm.pte_flags[address] & PTE_ACCESSED:
                    vma.vm_mm.pte_flags[address] &= ~PTE_ACCESSED
                    referenced = 1
    if TLB == 1:
        current.ptes_batched = max(looked_at - 1, 0)
    return referenced


def unmap_mapping_range(mapping: Mapping, first: Index, last: int, even_cows: bool):
    """Remove the entries for file indexes [first, last] from all address spaces.

    Source: unmap_mapping_pages, unmap_mapping_range, mm/memory.c, 6.12
    Context: takes i_mmap_rwsem for read, no mmap_lock, no VMA lock, no folio lock
    Returns: nothing
    Left out: nothing
    """
    i_mmap_lock_read(mapping)
    vma = mapping.i_mmap
    while vma is not None:
        start = unmap_start(vma, first)
        end = unmap_end(vma, last)
        if start < end:
            zap_page_range_single(vma, start, end, even_cows)
        vma = vma.next_in_mapping
    i_mmap_unlock_read(mapping)


@atomic
def unmap_start(vma: VMA, first: Index) -> Address:
    """Address of the first page at or after file index `first`.

    Source: unmap_mapping_range_tree, mm/memory.c, 6.12
    Context: i_mmap_rwsem
    Returns: an address between vm_start and vm_end
    Left out: nothing
    """
    return min(max(vma.vm_start + first - vma.vm_pgoff, vma.vm_start), vma.vm_end)


@atomic
def unmap_end(vma: VMA, last: int) -> Address:
    """Address after the page of file index `last`.

    Source: unmap_mapping_range_tree, mm/memory.c, 6.12
    Context: i_mmap_rwsem
    Returns: an address between vm_start and vm_end
    Left out: nothing
    """
    return max(min(vma.vm_start + last + 1 - vma.vm_pgoff, vma.vm_end), vma.vm_start)

# SPDX-License-Identifier: GPL-2.0-only
"""madvise (mm/madvise.c; spec 8.6).

Advice that changes flags takes mmap_lock for write, killably.  The rest takes it for read,
uninterruptibly; since 6.17 DONTNEED and FREE inside one VMA take that VMA's lock instead.
"""


class MadviseLock(Enum):
    """Which lock a piece of advice runs under (kernel: enum madvise_lock_mode, 6.17)."""

    MMAP_READ = 0
    MMAP_WRITE = 1
    VMA_READ = 2


@atomic
def madvise_lock_mode(advice: int) -> MadviseLock:
    """Which lock the advice needs.

    Source: madvise_need_mmap_write, 6.12; get_lock_mode, 7.0, mm/madvise.c
    Context: none
    Returns: the mode; VMA_READ falls back to MMAP_READ
    Left out: process_madvise (remote_madvise below)
    """
    if advice == MADV_DONTNEED or advice == MADV_FREE:
        if KERNEL_VERSION >= 617:
            return MadviseLock.VMA_READ
        return MadviseLock.MMAP_READ
    if advice == MADV_WILLNEED or advice == MADV_COLD or advice == MADV_PAGEOUT or advice == MADV_REMOVE:
        return MadviseLock.MMAP_READ
    if advice == MADV_POPULATE_READ or advice == MADV_POPULATE_WRITE:
        return MadviseLock.MMAP_READ
    return MadviseLock.MMAP_WRITE


@atomic
def advised_flags(vm_flags: vm_flags_t, advice: int) -> vm_flags_t:
    """A VMA's flags after the advice.

    Source: madvise_vma_behavior, mm/madvise.c, 6.12
    Context: mmap_lock held
    Returns: flags
    Left out: DONTDUMP, MERGEABLE
    """
    if advice == MADV_NORMAL:
        return vm_flags & ~VM_RAND_READ & ~VM_SEQ_READ
    if advice == MADV_SEQUENTIAL:
        return (vm_flags & ~VM_RAND_READ) | VM_SEQ_READ
    if advice == MADV_RANDOM:
        return (vm_flags & ~VM_SEQ_READ) | VM_RAND_READ
    if advice == MADV_DONTFORK:
        return vm_flags | VM_DONTCOPY
    if advice == MADV_DOFORK:
        return vm_flags & ~VM_DONTCOPY
    if advice == MADV_WIPEONFORK:
        return vm_flags | VM_WIPEONFORK
    if advice == MADV_KEEPONFORK:
        return vm_flags & ~VM_WIPEONFORK
    if advice == MADV_HUGEPAGE:
        return vm_flags | VM_HUGEPAGE
    return vm_flags & ~VM_HUGEPAGE


def madvise_update_vma(vma: VMA, start: Address, end: Address, new_flags: vm_flags_t) -> errno_t:
    """Write new flags to a part of a VMA; equal flags need nothing.

    Source: madvise_update_vma, mm/madvise.c, 6.12
    Context: mmap_lock held for write; waits for readers of what it changes, uninterruptible
    Returns: 0 or -ENOMEM
    Left out: anonymous names
    """
    if vma.vm_flags == new_flags:
        return 0
    target = vma_modify_flags(vma, start, end, new_flags)
    if target is None:
        return -ENOMEM
    vma_start_write(target)
    vm_flags_reset(target, new_flags)
    return 0


def madvise_willneed(mm: MM, vma: VMA, start: Address, end: Address):
    """Start reading a part of a file; does not wait for it.

    Source: madvise_willneed, generic_fadvise (POSIX_FADV_WILLNEED), mm/madvise.c, mm/fadvise.c, 6.12
    Context: mmap_lock held for read; released around the readahead, taken again, uninterruptible
    Returns: nothing; vma must not be used afterwards
    Left out: swap-in of anonymous memory
    """
    file = vma.vm_file
    if file is None:
        return
    first = unmapped_index(vma, start)
    get_file(file)
    mmap_read_unlock(mm)
    force_page_cache_ra(file, first, end - start)
    fput(file)
    mmap_read_lock(mm)


@atomic
def unmapped_index(vma: VMA, address: Address) -> Index:
    """File index of an address.

    Source: linear_page_index, include/linux/pagemap.h, 6.12
    Context: vma stable
    Returns: the index
    Left out: nothing
    """
    return vma.vm_pgoff + address - vma.vm_start


def madvise_remove(mm: MM, vma: VMA, start: Address, end: Address) -> errno_t:
    """Punch a hole into the file under a mapping.

    Source: madvise_remove, mm/madvise.c, 6.12
    Context: mmap_lock held for read; released around the punch, taken again, uninterruptible
    Returns: 0 or -EINVAL; vma must not be used afterwards
    Left out: userfaultfd events
    """
    file = vma.vm_file
    if file is None:
        return -EINVAL
    if vma.vm_flags & (VM_LOCKED | VM_SHARED) != VM_SHARED:
        return -EINVAL
    first = unmapped_index(vma, start)
    get_file(file)
    mmap_read_unlock(mm)
    ext4_punch_hole(file.f_mapping, first, first + end - start)
    fput(file)
    mmap_read_lock(mm)
    return 0


@atomic
def madvise_cold_pte_range(vma: VMA, start: Address, end: Address) -> int:
    """Clear the accessed bits of one page table's entries and move the folios to the cold end.

    Source: madvise_cold_or_pageout_pte_range, mm/madvise.c, 6.12
    Context: PTL; mmap_lock held for read
    Returns: number of entries looked at
    Left out: shared folios (mapped more than once) are not skipped
    """
    mm = vma.vm_mm
    seen = 0
    for address in range(start, end):
        if pte_present(mm, address):
            seen += 1
            mm.pte_flags[address] &= ~PTE_ACCESSED
            folio = mm.pte[address]
            if folio is not None:
                folio.referenced = False
                folio_deactivate(folio)
    return seen


@atomic
def folio_deactivate(folio: Folio):
    """Move a folio to the inactive list.

    Source: folio_deactivate, lru_deactivate, mm/swap.c, 6.12
    Context: folio mapped, PTL held
    Returns: nothing
    Left out: nothing
    """
    if folio.lru and folio.active:
        lru_list_del(folio)
        folio.active = False
        lru_list_add(folio)


@atomic
def next_mapped_folio(vma: VMA, address: Address, end: Address) -> int:
    """First address in [address, end) that maps a page cache folio.

    Source: madvise_cold_or_pageout_pte_range, mm/madvise.c, 6.12
    Context: mmap_lock held for read
    Returns: the address, or end
    Left out: nothing
    """
    position: int = address
    while position < end:
        if vma.vm_mm.pte[position] is not None:
            return position
        position += 1
    return end


@atomic
def isolate_mapped_folio(mm: MM, address: Address) -> Folio:
    """Isolate the folio that an address maps.

    Source: folio_isolate_lru in madvise_cold_or_pageout_pte_range, mm/madvise.c, 6.12
    Context: PTL
    Returns: the folio, or None
    Left out: nothing
    """
    folio = mm.pte[address]
    if folio is None:
        return None
    if not folio_isolate_lru(folio):
        return None
    return folio


def madvise_cold_or_pageout(vma: VMA, start: Address, end: Address, pageout: bool):
    """Make a range cold, or reclaim it.

    Source: madvise_cold, madvise_pageout, mm/madvise.c, 6.12
    Context: mmap_lock held for read; folios are only tried (trylock)
    Returns: nothing
    Left out: files that the caller could not write (can_do_file_pageout)
    """
    address: Address = next_page_table(vma.vm_mm, start, end)
    while address < end:
        part_end = page_table_end(address, end)
        if VMSCAN == 1:
            flush_tlb_batched_pending(vma.vm_mm)
        seen = madvise_cold_pte_range(vma, address, part_end)
        cpu("madvise_pte", seen)
        address = next_page_table(vma.vm_mm, part_end, end)
    if not pageout:
        return
    address = next_mapped_folio(vma, start, end)
    while address < end:
        folio = isolate_mapped_folio(vma.vm_mm, address)
        if folio is not None:
            shrink_folio(folio)
        address = next_mapped_folio(vma, address + 1, end)

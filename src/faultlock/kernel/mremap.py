# SPDX-License-Identifier: GPL-2.0-only
"""mremap (mm/mremap.c; spec 8.6)."""


@atomic
def move_ptes(mm: MM, old: Address, new: Address, length: Address) -> int:
    """Move the entries of [old, old + length) to new.

    Source: move_ptes, mm/mremap.c, 6.12
    Context: both PTLs; mmap_lock held for write, both VMAs write-locked, i_mmap_rwsem held for write
    Returns: number of entries moved
    Left out: moving whole page tables
    """
    moved = 0
    for i in range(0, length):
        if pte_present(mm, old + i):
            pte_alloc(mm, new + i)
            mm.pte[new + i] = mm.pte[old + i]
            mm.pte_flags[new + i] = mm.pte_flags[old + i]
            mm.page_table[(new + i) // PTRS_PER_PTE] += 1
            mm.pte[old + i] = None
            mm.pte_flags[old + i] = 0
            mm.page_table[(old + i) // PTRS_PER_PTE] -= 1
            moved += 1
    return moved


def move_vma(vma: VMA, old: Address, length: Address, new: Address) -> bool:
    """Move a part of a VMA to another address.

    Source: move_vma, copy_vma, move_page_tables, mm/mremap.c, 6.12
    Context: mmap_lock held for write; waits for the readers of vma, uninterruptible
    Returns: True; False (-ENOMEM) when there is no VMA left
    Left out: MREMAP_DONTUNMAP, undoing
    """
    mm = vma.vm_mm
    vma_start_write(vma)
    with atomic:
        pgoff: Index = 0
        if vma.vm_file is not None:
            pgoff = vma.vm_pgoff + old - vma.vm_start
        copy = vm_area_alloc(mm, vma.vm_file, new, new + length, pgoff, vma.vm_flags)
        if copy is None:
            return False
        copy.anon_vma = vma.anon_vma
        vma_insert(mm, copy)
        vma_set_write_locked(copy)
    vma_link_file(copy)
    if vma.vm_file is not None:
        i_mmap_lock_write(vma.vm_file.f_mapping)
    if VMSCAN == 1:
        flush_tlb_batched_pending(mm)
    moved = move_ptes(mm, old, new, length)
    cpu("move_pte", moved)
    if vma.vm_file is not None:
        i_mmap_unlock_write(vma.vm_file.f_mapping)
    do_vmi_munmap(mm, old, old + length, False)
    return True


def sys_mremap(old: Address, old_length: Address, new_length: Address, may_move: bool) -> int:
    """mremap(2): shrink, grow in place, or move.

    Source: mremap, mm/mremap.c, 6.12
    Context: takes mmap_lock for write, killable (shrinking: downgraded); VM_LOCKED growth is populated afterwards
    Returns: the address, -EINTR, -EFAULT or -ENOMEM
    Left out: MREMAP_FIXED, limits
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    vma = vma_lookup(mm, old)
    if vma is None:
        mmap_write_unlock(mm)
        return -EFAULT
    if new_length <= old_length:
        do_vmi_munmap(mm, old + new_length, old + old_length, True)
        return old
    address: int = old
    blocker = find_vma_intersection(mm, old + old_length, old + new_length)
    if blocker is None and old + new_length <= N_ADDRESS_PAGES:
        start = vma_start(vma)
        vma_expand(vma, start, old + new_length)
    elif may_move:
        address = get_unmapped_area(mm, new_length)
        if address >= 0:
            if not move_vma(vma, old, old_length, address):
                address = -ENOMEM
        if address >= 0:
            vma = vma_lookup(mm, address)
            vma_expand(vma, address, address + new_length)
    else:
        address = -ENOMEM
    is_locked = vma.vm_flags & VM_LOCKED != 0
    mmap_write_unlock(mm)
    if address >= 0 and is_locked:
        __mm_populate(address + old_length, address + new_length, False)
    return address

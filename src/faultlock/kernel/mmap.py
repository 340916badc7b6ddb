# SPDX-License-Identifier: GPL-2.0-only
"""mmap and brk (mm/mmap.c, mm/vma.c; spec 8.6)."""

MAP_ANYWHERE = -1  # Model: no address wished


@atomic
def get_unmapped_area(mm: MM, length: Address) -> int:
    """Find a gap, from mmap_base down.

    Source: vm_unmapped_area, mm/mmap.c, 6.12
    Context: mmap_lock held for write
    Returns: the address, or -ENOMEM
    Left out: guard gaps, alignment of huge mappings, bottom-up layout
    """
    end = N_ADDRESS_PAGES if mm.mmap_base == 0 else mm.mmap_base
    slot = mm.map_count
    while slot > 0:
        vma = mm.vmas[slot - 1]
        if end - vma.vm_end >= length:
            return end - length
        end = min(end, vma.vm_start)
        slot -= 1
    if end >= length:
        return end - length
    return -ENOMEM


@atomic
def new_range_left(mm: MM, file: File, start: Address, pgoff: Index, vm_flags: vm_flags_t) -> VMA:
    """The VMA below a new area, if it can grow over it.

    Source: can_vma_merge_left in vma_merge_new_range, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    vma = vma_before(mm, start)
    if vma is None or vma.vm_flags != vm_flags or vma.vm_file != file:
        return None
    if file is not None and vma.vm_pgoff + vma_pages(vma) != pgoff:
        return None
    return vma


@atomic
def new_range_right(mm: MM, file: File, start: Address, end: Address, pgoff: Index, vm_flags: vm_flags_t) -> VMA:
    """The VMA above a new area, if it can grow over it.

    Source: can_vma_merge_right in vma_merge_new_range, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    vma = vma_at(mm, end)
    if vma is None or vma.vm_flags != vm_flags or vma.vm_file != file:
        return None
    if file is not None and pgoff + end - start != vma.vm_pgoff:
        return None
    return vma


def vma_expand(vma: VMA, start: Address, end: Address):
    """Give a VMA a larger range.

    Source: vma_expand, mm/vma.c, 6.12
    Context: mmap_lock held for write; waits for the readers of vma, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    vma_start_write(vma)
    if vma.vm_file is not None:
        i_mmap_lock_write(vma.vm_file.f_mapping)
    vma_extend(vma, start, end)
    if vma.vm_file is not None:
        i_mmap_unlock_write(vma.vm_file.f_mapping)


def vma_merge_new_range(mm: MM, file: File, start: Address, end: Address, pgoff: Index, vm_flags: vm_flags_t) -> VMA:
    """Let a neighbour grow over a new area instead of making a VMA.

    Source: vma_merge_new_range, mm/vma.c, 6.12
    Context: mmap_lock held for write; waits for the readers of what grows, uninterruptible
    Returns: the VMA that now covers the area, or None
    Left out: nothing
    """
    left = new_range_left(mm, file, start, pgoff, vm_flags)
    right = new_range_right(mm, file, start, end, pgoff, vm_flags)
    if left is None:
        if right is None:
            return None
        right_end = vma_end(right)
        vma_expand(right, start, right_end)
        return right
    left_start = vma_start(left)
    vma_expand(left, left_start, end)
    if right is not None:
        vma_start_write(right)
        vma_absorb(left, right)
    return left


@atomic
def vma_start(vma: VMA) -> Address:
    """Start of a VMA.

    Source: vma->vm_start, 6.12
    Context: vma stable
    Returns: the address
    Left out: nothing
    """
    return vma.vm_start


def mmap_region(mm: MM, file: File, start: Address, end: Address, pgoff: Index, vm_flags: vm_flags_t) -> bool:
    """Put a new area into the address space, over whatever is there.

    Source: mmap_region, __mmap_region, mm/vma.c, 6.12
    Context: mmap_lock held for write; waits for the readers of overlapped or grown VMAs, uninterruptible
    Returns: True; False (-ENOMEM) when there is no VMA left
    Left out: file->f_op->mmap, accounting, undoing an unmap when no VMA is left
    """
    cpu("mmap_region")
    detached = vms_gather_munmap_vmas(mm, start, end)
    if detached is not None:
        vms_clear_ptes(mm, detached)
    vma = vma_merge_new_range(mm, file, start, end, pgoff, vm_flags)
    if vma is None:
        vma = vm_area_alloc(mm, file, start, end, pgoff, vm_flags)
        if vma is not None:
            with atomic:
                # Nobody can hold the lock of a VMA that is not in the tree yet.
                vma_insert(mm, vma)
                vma_set_write_locked(vma)
            vma_link_file(vma)
    if detached is not None:
        remove_detached_vmas(detached)
    return vma is not None


def vm_mmap_pgoff(file: File, wish: int, length: Address, pgoff: Index, vm_flags: vm_flags_t, populate: bool) -> int:
    """mmap(2).  wish: an address (MAP_FIXED) or MAP_ANYWHERE; populate: MAP_POPULATE.

    Source: vm_mmap_pgoff, do_mmap, mm/util.c, mm/mmap.c, 6.12
    Context: takes mmap_lock for write, killable; populates in read mode after releasing it
    Returns: the address, -EINTR or -ENOMEM
    Left out: security modules, limits
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    cpu("get_unmapped_area")
    address = wish
    if wish == MAP_ANYWHERE:
        address = get_unmapped_area(mm, length)
    if address >= 0:
        if not mmap_region(mm, file, address, address + length, pgoff, vm_flags):
            address = -ENOMEM
    mmap_write_unlock(mm)
    if address >= 0:
        if populate or vm_flags & VM_LOCKED:
            __mm_populate(address, address + length, True)
    return address


def sys_brk(old_brk: Address, new_brk: Address) -> errno_t:
    """brk(2): grow or shrink the heap, which ends at old_brk.

    Source: brk, do_brk_flags, mm/mmap.c, 6.12
    Context: takes mmap_lock for write, killable; downgraded while shrinking
    Returns: 0, -EINTR or -ENOMEM
    Left out: limits; mm->brk is the caller's argument
    """
    mm = current.mm
    vm_flags: vm_flags_t = VM_READ | VM_WRITE | VM_MAYWRITE
    if not mmap_write_lock_killable(mm):
        return -EINTR
    if new_brk < old_brk:
        do_vmi_munmap(mm, new_brk, old_brk, True)
        return 0
    grown = True
    if new_brk > old_brk:
        blocker = find_vma_intersection(mm, old_brk, new_brk)
        grown = blocker is None
        if grown:
            grown = mmap_region(mm, None, old_brk, new_brk, 0, vm_flags)
    mmap_write_unlock(mm)
    return 0 if grown else -ENOMEM

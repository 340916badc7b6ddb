# SPDX-License-Identifier: GPL-2.0-only
"""Faulting in whole ranges: MAP_POPULATE, mlock, MADV_POPULATE_* (spec 8.10).

While a fault gives mmap_lock up for I/O, writers get in between two pages; a policy that keeps
it holds it for the whole range (spec D7).
"""


@atomic
def populate_foll_flags(vma: VMA, unlockable: bool) -> foll_t:
    """How populate touches the pages of a VMA: it breaks COW in private writable ones.

    Source: populate_vma_page_range, mm/gup.c, 6.12
    Context: mmap_lock held
    Returns: FOLL_* flags
    Left out: FOLL_FORCE for mappings that cannot be read
    """
    foll_flags: foll_t = 0
    if vma.vm_flags & (VM_WRITE | VM_SHARED) == VM_WRITE:
        foll_flags |= FOLL_WRITE
    if unlockable:
        foll_flags |= FOLL_UNLOCKABLE
    return foll_flags


def populate_vma_page_range(vma: VMA, start: Address, end: Address, unlockable: bool) -> gup_t:
    """Fault in part of one VMA.

    Source: populate_vma_page_range, mm/gup.c, 6.12
    Context: mmap_lock held for read (write: mprotect); with unlockable see current.gup_locked
    Returns: pages done before the lock was lost or the range ended, or a negative error
    Left out: VM_LOCKONFAULT; draining of the LRU batches
    """
    foll_flags = populate_foll_flags(vma, unlockable)
    current.gup_locked = True
    return __get_user_pages(vma.vm_mm, start, end - start, foll_flags)


@atomic
def find_vma_intersection(mm: MM, start: Address, end: Address) -> VMA:
    """First VMA that has an address in [start, end).

    Source: find_vma_intersection, include/linux/mm.h, 6.12
    Context: mmap_lock held
    Returns: the VMA, or None
    Left out: nothing
    """
    vma = find_vma(mm, start)
    if vma is None or vma.vm_start >= end:
        return None
    return vma


@atomic
def populate_end(vma: VMA, end: Address) -> Address:
    """End of the part of [.., end) that lies in vma.

    Source: __mm_populate, mm/gup.c, 6.12
    Context: mmap_lock held
    Returns: the smaller end
    Left out: nothing
    """
    return min(vma.vm_end, end)


def __mm_populate(start: Address, end: Address, ignore_errors: bool) -> errno_t:
    """Fault in [start, end) of the own mm, VMA by VMA.

    Source: __mm_populate, mm/gup.c, 6.12
    Context: no lock held; takes mmap_lock for read, uninterruptible; none held afterwards
    Returns: 0 or a negative error
    Left out: VM_IO and VM_PFNMAP mappings
    """
    mm = current.mm
    address: Address = start
    vma: VMA = None
    is_locked = False
    while address < end:
        if not is_locked:
            mmap_read_lock(mm)  # 8.10.10
            is_locked = True
            vma = None
        if vma is None or address >= vma.vm_end:
            vma = find_vma_intersection(mm, address, end)
        if vma is None:
            break
        address = max(address, vma.vm_start)
        part_end = populate_end(vma, end)
        done = populate_vma_page_range(vma, address, part_end, True)  # 8.10.11
        is_locked = current.gup_locked
        if done < 0:
            if not ignore_errors:
                if is_locked:
                    mmap_read_unlock(mm)
                return done
            address = part_end
        else:
            address += done
            # Model: a range that makes no step although the lock was kept cannot occur.
            assert done > 0 or not is_locked, "L8 in-kernel loops: populate makes no progress"
    if is_locked:
        mmap_read_unlock(mm)
    return 0


def faultin_page_range(start: Address, end: Address, write: bool) -> gup_t:
    """Fault in a range of the own mm for MADV_POPULATE_READ/WRITE.

    Source: faultin_page_range, mm/gup.c, 6.12
    Context: mmap_lock held for read; see current.gup_locked afterwards
    Returns: pages done, or a negative error
    Left out: FOLL_MADV_POPULATE's own error numbers
    """
    current.gup_locked = True
    foll_flags: foll_t = FOLL_UNLOCKABLE
    if write:
        foll_flags |= FOLL_WRITE
    return __get_user_pages_locked(current.mm, start, end - start, foll_flags)

# SPDX-License-Identifier: GPL-2.0-only
"""populate-hole-keeps-lock: populate finds no VMA any more and returns with mmap_lock held.

Must be found as: S4 in mlock+munmap
"""

base = "drop-retry"


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
            return 0
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

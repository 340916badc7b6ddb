# SPDX-License-Identifier: GPL-2.0-only
"""mlock-populates-locked: mlock faults pages in before it releases mmap_lock.

Must be found as: L1 in fault+mlock
"""

base = "drop-retry"


def do_mlock(start: Address, end: Address, lock: bool) -> errno_t:
    """mlock(2) and munlock(2); mlock then faults everything in.

    Source: do_mlock, apply_vma_lock_flags, __mm_populate, mm/mlock.c, 6.12
    Context: takes mmap_lock for write, killable; populates in read mode afterwards
    Returns: 0, -EINTR, -ENOMEM, -EFAULT
    Left out: RLIMIT_MEMLOCK
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    address: Address = start
    error: errno_t = 0
    while address < end and error == 0:
        vma = find_vma_intersection(mm, address, end)
        if vma is None:
            error = -ENOMEM
            break
        address = max(address, vma.vm_start)
        part_end = populate_end(vma, end)
        error = mlock_fixup(vma, address, part_end, lock)
        address = part_end
    if error == 0 and lock:
        error = __mm_populate(start, end, False)
    mmap_write_unlock(mm)
    return error

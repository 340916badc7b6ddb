# SPDX-License-Identifier: GPL-2.0-only
"""smaps-killed-unlocks: a reader of smaps_rollup that is killed while it waits releases what it does not hold.

Must be found as: S4 in proc-smaps+munmap+kill
"""

base = "drop-retry"


def show_smaps_rollup(mm: MM) -> errno_t:
    """/proc/PID/smaps_rollup: all VMAs in one read; the lock is given up when contended.

    Source: show_smaps_rollup, fs/proc/task_mmu.c, 6.12
    Context: takes mmap_lock for read, killable
    Returns: 0 or -EINTR
    Left out: a VMA that was changed while the lock was given up is counted from its new start
    """
    if not mmap_read_lock_killable(mm):  # 8.8.2
        return -EINTR
    address: Address = 0
    while True:
        vma = find_vma(mm, address)
        if vma is None:
            break
        smap_gather_stats(vma)
        address = vma.vm_end
        if mmap_lock_is_contended(mm):
            mmap_read_unlock(mm)
            if not mmap_read_lock_killable(mm):
                break
            vma = find_vma(mm, address)
            if vma is None:
                break
            smap_gather_stats(vma)  # before the lock is looked at again: two VMAs in one go
            address = vma.vm_end
    mmap_read_unlock(mm)
    return 0

# SPDX-License-Identifier: GPL-2.0-only
"""Readers of /proc/PID (fs/proc/task_mmu.c, fs/proc/base.c; spec 8.8)."""

PROC_READ_VMAS: Param = 40  # how many lines of maps one read(2) of 4096 bytes returns
CMDLINE_ADDRESS: Param = 0  # where the process keeps its arguments: a page of its stack


class ProcFile(Enum):
    """Files of /proc/PID that matter here."""

    MAPS = 0
    SMAPS = 1
    SMAPS_ROLLUP = 2
    CMDLINE = 3
    ENVIRON = 4
    CLEAR_REFS = 5
    STATUS = 6


def smap_gather_stats(vma: VMA):
    """Walk the page tables of one VMA and count.

    Source: smap_gather_stats, smaps_pte_range, fs/proc/task_mmu.c, 6.12
    Context: mmap_lock held for read; takes the PTL of one table after the other
    Returns: nothing
    Left out: the numbers
    """
    start = vma_start(vma)
    end = vma_end(vma)
    cpu("smaps_vma")
    tables = page_tables_in_range(vma.vm_mm, start, end)
    cpu("smaps_pte_slot", tables * min(PTRS_PER_PTE, end - start))
    cpu("smaps_pmd_entry", pmd_entries_in_range(vma.vm_mm, start, end))
    entries = ptes_in_range(vma.vm_mm, start, end)
    cpu("smaps_pte", entries)


@atomic
def mmap_lock_is_contended(mm: MM) -> bool:
    """Does somebody wait for mmap_lock?

    Source: mmap_lock_is_contended, include/linux/mmap_lock.h, 6.12
    Context: mmap_lock held
    Returns: True if so
    Left out: nothing
    """
    return mm.mmap_lock.first_waiter is not None


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
                return -EINTR
            vma = find_vma(mm, address)
            if vma is None:
                break
            smap_gather_stats(vma)  # before the lock is looked at again: two VMAs in one go
            address = vma.vm_end
    mmap_read_unlock(mm)
    return 0


def show_maps_mmap_lock(mm: MM, start: Address, with_stats: bool) -> int:
    """One read(2) of maps or smaps under mmap_lock.

    Source: m_start, m_next, m_stop, fs/proc/task_mmu.c, 6.12
    Context: takes mmap_lock for read, killable, for one buffer full of lines
    Returns: address where the next read goes on; -1: end of file; -EINTR
    Left out: the text
    """
    if not mmap_read_lock_killable(mm):  # 8.8.1
        return -EINTR
    address: Address = start
    left = 1 if with_stats else PROC_READ_VMAS
    vma = find_vma(mm, address)
    while vma is not None and left > 0:
        cpu("maps_vma")
        if with_stats:
            smap_gather_stats(vma)
        address = vma.vm_end
        left -= 1
        vma = find_vma(mm, address)
    mmap_read_unlock(mm)
    return -1 if vma is None else address


def lock_next_vma(mm: MM, address: Address) -> VMA:
    """6.17+: the next VMA from address on, read-locked without mmap_lock if possible.

    Source: lock_next_vma, lock_next_vma_under_mmap_lock, mm/mmap_lock.c, 7.0
    Context: nothing held; falls back to mmap_lock for read, killable, which is released again
    Returns: the VMA, its lock held; None: no more VMA, or killed
    Left out: the sequence check that a concurrent change of the tree restarts
    """
    vma = find_vma_rcu(mm, address)
    if vma is None:
        return None
    locked = vma_start_read(vma)
    if locked == 1:
        with atomic:
            rcu_read_unlock_vma(vma)
            vma_acquired(vma)
        return vma
    rcu_read_unlock_vma(vma)
    if not mmap_read_lock_killable(mm):  # 8.8.5
        return None
    vma = find_vma(mm, address)
    if vma is not None:
        if not vma_start_read_locked(vma):  # 3.2.7
            vma = None
    mmap_read_unlock(mm)
    return vma


@atomic
def find_vma_rcu(mm: MM, address: Address) -> VMA:
    """The next VMA from address on, with the RCU read lock held afterwards.

    Source: vma_next under RCU in lock_next_vma, mm/mmap_lock.c, 7.0
    Context: any
    Returns: the VMA, or None (then no RCU read lock is held)
    Left out: nothing
    """
    vma = find_vma(mm, address)
    if vma is not None:
        vma.rcu_readers += 1
    return vma


def show_maps_vma_lock(mm: MM) -> errno_t:
    """6.17+: /proc/PID/maps, one VMA lock at a time.

    Source: m_start, m_next (lock_vma), show_map, fs/proc/task_mmu.c, 7.0
    Context: holds one VMA lock while its line is shown
    Returns: 0 or -EINTR
    Left out: the text
    """
    address: Address = 0
    while True:
        vma = lock_next_vma(mm, address)
        if vma is None:
            return -EINTR if current.fatal_signal_pending else 0
        cpu("maps_vma")
        address = vma.vm_end
        vma_end_read(vma)


def clear_refs_write(mm: MM) -> errno_t:
    """/proc/PID/clear_refs (soft dirty): write lock on every VMA.

    Source: clear_refs_write, fs/proc/task_mmu.c, 6.12
    Context: takes mmap_lock for write, killable; waits for the readers of each VMA, uninterruptible
    Returns: 0 or -EINTR
    Left out: the other values that can be written
    """
    if not mmap_write_lock_killable(mm):
        return -EINTR
    vma = find_vma(mm, 0)
    while vma is not None:
        vma_start_write(vma)
        start = vma_start(vma)
        end = vma_end(vma)
        madvise_cold_or_pageout(vma, start, end, False)
        vma = vma_next(mm, vma)
    mmap_write_unlock(mm)
    return 0


def read_proc(mm: MM, file: ProcFile) -> errno_t:
    """Read a file of /proc/PID to its end.

    Source: vfs_read of the files of fs/proc, 6.12
    Context: nothing held before and after; see the parts
    Returns: 0 or -EINTR
    Left out: opening and closing
    """
    trap_enter()
    error: errno_t = 0
    if file == ProcFile.SMAPS_ROLLUP:
        error = show_smaps_rollup(mm)
    elif file == ProcFile.MAPS and KERNEL_VERSION >= 617:
        error = show_maps_vma_lock(mm)
    elif file == ProcFile.MAPS or file == ProcFile.SMAPS:
        position = 0
        while position >= 0:
            cpu("system_call")
            position = show_maps_mmap_lock(mm, position, file == ProcFile.SMAPS)
        if position == -EINTR:
            error = -EINTR
    elif file == ProcFile.CMDLINE or file == ProcFile.ENVIRON:
        __access_remote_vm(mm, CMDLINE_ADDRESS, 1)
    elif file == ProcFile.CLEAR_REFS:
        error = clear_refs_write(mm)
    else:
        cpu("proc_status")  # 8.8.7
    trap_exit()
    return error

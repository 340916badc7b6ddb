# SPDX-License-Identifier: GPL-2.0-only
"""retry-vma: as drop-retry, but the redo takes the VMA lock again instead of mmap_lock.

Oven Liyang and Barry Song, "mm: continue using per-VMA lock when retrying page faults after
I/O" (27 November 2025), v2 in "mm: reduce mmap_lock contention and improve page fault
performance" (30 April 2026).

RETRY_VMA_V2=1 adds the rule of v2: when the folio that was found is already uptodate, its lock
is held only for a moment by somebody else, so the fault lock is kept while waiting for it.

RETRY_VMA_MEASURED=1 is the rule of the kernel that was measured: every RETRY that released the
VMA lock for I/O goes back to the VMA lock, with TRIED set, also the one after a hit on a readahead
mark or after a read of its own (random advice).  Seen in its counters: vma_lock_success is pgfault,
and ru_majflt grows with vma_lock_retry.  The series marks fewer, and sets TRIED for a miss only.

Without the rule of v2 nothing bounds the number of attempts: a fault that is not MAJOR never gets
FAULT_FLAG_TRIED, and each time somebody else has the folio lock it starts over.
"""

RETRY_VMA_V2: Param = 0
RETRY_VMA_MEASURED: Param = 0  # 1: as the kernel whose measurements are shipped (the simulator)


def lock_folio_maybe_drop_mmap(folio: Folio) -> bool:
    """Take the folio lock; release the fault lock before waiting, unless the folio is uptodate (v2).

    Source: lock_folio_maybe_drop_mmap, mm/filemap.c, series of 30 April 2026 (v2)
    Context: folio referenced; sleeps: killable with FAULT_FLAG_KILLABLE, else uninterruptible
    Returns: True: folio locked; False: answer RETRY (fault lock released unless RETRY_NOWAIT)
    Left out: nothing
    """
    if folio_trylock(folio):
        return True
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return False
    if RETRY_VMA_V2 == 1:
        if folio.uptodate:
            current.vmf_flags &= ~FAULT_FLAG_ALLOW_RETRY
    maybe_unlock_mmap_for_io()
    if (current.vmf_flags & FAULT_FLAG_KILLABLE) == 0:
        __folio_lock(folio)
        return True
    if __folio_lock_killable(folio):
        return True
    if current.pinned_file is None:
        release_fault_lock()
    return False


def filemap_fault_retry_locked(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The page is there: redo the fault, under the VMA lock if that was the fault lock.

    Source: filemap_fault, mm/filemap.c, series of 27 November 2025
    Context: folio locked; fault lock released
    Returns: ret | VM_FAULT_RETRY, and VM_FAULT_RETRY_VMA
    Left out: nothing
    """
    folio_unlock(folio)
    result = ret
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
        result |= VM_FAULT_RETRY_VMA
    return filemap_fault_retry(mapping, folio, invalidate_locked, result)


def filemap_fault_retry(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The end of a fault that has to be redone: give everything back.

    Source: out_retry of filemap_fault, mm/filemap.c, 6.12; the measured kernel
    Context: fault lock released (or RETRY_NOWAIT); drops folio, invalidate_lock, file reference
    Returns: ret | VM_FAULT_RETRY, and VM_FAULT_RETRY_VMA with RETRY_VMA_MEASURED
    Left out: nothing
    """
    result = ret | VM_FAULT_RETRY
    if folio is not None:  # F40
        folio_put(folio)
    if invalidate_locked:
        filemap_invalidate_unlock_shared(mapping)
    if current.pinned_file is not None:
        if RETRY_VMA_MEASURED == 1:
            if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
                result |= VM_FAULT_RETRY_VMA
        fput(current.pinned_file)
    cpu("fault_retry")
    emit("FAULT_REDO")
    return result


def do_user_addr_fault(address: Address, write: bool, user: bool) -> Trap:
    """A page fault on a user address; RETRY_VMA goes back to the VMA lock.

    Source: do_user_addr_fault, arch/x86/mm/fault.c, series of 27 November 2025
    Context: nothing held before and after
    Returns: how it ended
    Left out: instruction fetches count as reads; perf events
    """
    trap_enter()
    cpu("fault_entry")
    emit("FAULT_BEGIN", address, write, user)
    flags: fault_flag_t = FAULT_FLAG_DEFAULT
    if write:
        flags |= FAULT_FLAG_WRITE
    fault = -1
    if user:
        flags |= FAULT_FLAG_USER
    under_vma_lock = user
    while under_vma_lock:
        fault = fault_with_vma_lock(address, write, flags)
        under_vma_lock = False
        if fault != -1:
            if (fault & (VM_FAULT_RETRY | VM_FAULT_MAJOR)) == (VM_FAULT_RETRY | VM_FAULT_MAJOR):
                flags |= FAULT_FLAG_TRIED
            if (fault & VM_FAULT_RETRY) != 0:
                if not fault_signal_pending(fault, user):
                    under_vma_lock = (fault & VM_FAULT_RETRY_VMA) != 0
                    if RETRY_VMA_MEASURED == 1:
                        if under_vma_lock:
                            flags |= FAULT_FLAG_TRIED
                    fault = -1
    if fault == -1:
        fault = fault_with_mmap_lock(address, write, user, flags)
    emit("FAULT_END", address, fault, user)
    cpu("fault_exit")
    trap_exit()
    return trap_result(fault, user)

# SPDX-License-Identifier: GPL-2.0-only
"""hold-vma: hold under the VMA lock, drop under mmap_lock.

The RFC's argument (a VMA lock disturbs few) covers only faults under the VMA lock.  Faults
under mmap_lock (kernel mode, GUP, after an aborted VMA lock) release it as today.  This removes
the stalls of mmap_lock users by slow reads and populates, and one of the deadlocks with FUSE.

Built on drop-retry, not on hold: with the release refused under the VMA lock, its filemap_fault
is a hold path whose waits are killable and whose exits give everything back.
"""


def maybe_unlock_mmap_for_io():
    """Pin the file and release mmap_lock on the first attempt; keep a VMA lock.

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12, changed
    Context: fault lock held, or released by an earlier call; mmap_lock released if allowed
    Returns: nothing; current.pinned_file is set once the lock is released
    Left out: nothing
    """
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
        return
    unlock_fault_lock_for_io()


def unlock_fault_lock_for_io():
    """Pin the file and release the fault lock, on the first attempt.

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12
    Context: fault lock held, or released by an earlier call; released if allowed
    Returns: nothing; current.pinned_file is set once the lock is released
    Left out: nothing
    """
    if current.pinned_file is not None:
        return
    if not fault_flag_allow_retry_first():
        return
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return
    get_file(current.vmf_vma.vm_file)
    release_fault_lock()


def fault_dirty_shared_page(folio: Folio) -> vm_fault_t:
    """Mark the folio dirty and throttle the writer, without a VMA lock as today.

    Source: fault_dirty_shared_page, mm/memory.c, 6.12
    Context: folio locked, unlocked here; COMPLETED: fault lock released
    Returns: 0 or COMPLETED
    Left out: file times; the length of the throttling is the simulator's
    """
    folio.dirty = True
    folio_unlock(folio)
    if DIRTY_EXCEEDED == 1:
        unlock_fault_lock_for_io()
        balance_dirty_pages()
        if current.pinned_file is not None:
            fput(current.pinned_file)
            return VM_FAULT_COMPLETED
    return 0

# SPDX-License-Identifier: GPL-2.0-only
"""completed-but-held: a fault that was throttled without releasing its lock says COMPLETED.

Must be found as: S4 in throttled-write+io
"""

base = "drop-retry"


def fault_dirty_shared_page(folio: Folio) -> vm_fault_t:
    """Mark the folio dirty, unlock it, and throttle the writer if there is too much dirty memory.

    Source: fault_dirty_shared_page, mm/memory.c, 6.12
    Context: folio locked, unlocked here; COMPLETED: fault lock released
    Returns: 0 or COMPLETED
    Left out: file times; the length of the throttling is the simulator's
    """
    folio.dirty = True
    folio_unlock(folio)
    if DIRTY_EXCEEDED == 1:
        maybe_unlock_mmap_for_io()
        balance_dirty_pages()
        if current.pinned_file is not None:
            fput(current.pinned_file)
        return VM_FAULT_COMPLETED
    return 0

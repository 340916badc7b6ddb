# SPDX-License-Identifier: GPL-2.0-only
"""killed-keeps-fault-lock: a fault that is killed before it released the fault lock answers RETRY and keeps it.

Must be found as: S5 in fault+fault+kill
"""

base = "drop-retry"


def lock_folio_maybe_drop_mmap(folio: Folio) -> bool:
    """Take the folio lock; release the fault lock before waiting for it.

    Source: lock_folio_maybe_drop_mmap, mm/filemap.c, 6.12
    Context: folio referenced; sleeps: killable with FAULT_FLAG_KILLABLE, else uninterruptible
    Returns: True: folio locked; False: answer RETRY (fault lock released unless RETRY_NOWAIT)
    Left out: signals blocked by OCFS2 and Ceph around the fault
    """
    if folio_trylock(folio):  # F20
        return True
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:  # F21
        return False
    maybe_unlock_mmap_for_io()  # F22
    if (current.vmf_flags & FAULT_FLAG_KILLABLE) == 0:
        __folio_lock(folio)
        return True
    if __folio_lock_killable(folio):  # F23
        return True
    return False

# SPDX-License-Identifier: GPL-2.0-only
"""folio-unlocked-twice: the folio is unlocked twice before RETRY.

Must be found as: S14 in fault+kill
"""

base = "drop-retry"


def filemap_fault_retry_locked(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The page is there, but the fault lock was released on the way: redo the fault.

    Source: filemap_fault, before out_retry, mm/filemap.c, 6.12
    Context: folio locked; fault lock released
    Returns: ret | VM_FAULT_RETRY
    Left out: nothing
    """
    folio_unlock(folio)
    folio_unlock(folio)
    return filemap_fault_retry(mapping, folio, invalidate_locked, ret)

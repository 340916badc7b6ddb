# SPDX-License-Identifier: GPL-2.0-only
"""folio-put-forgotten: a fault that answers RETRY keeps its folio reference.

Must be found as: S3 in fault+kill
"""

base = "drop-retry"


def filemap_fault_retry(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The end of a fault that has to be redone: give everything back.

    Source: out_retry of filemap_fault, mm/filemap.c, 6.12
    Context: fault lock released (or RETRY_NOWAIT); drops folio, invalidate_lock, file reference
    Returns: ret | VM_FAULT_RETRY
    Left out: nothing
    """
    if invalidate_locked:
        filemap_invalidate_unlock_shared(mapping)
    if current.pinned_file is not None:
        fput(current.pinned_file)
    cpu("fault_retry")
    emit("FAULT_REDO")
    return ret | VM_FAULT_RETRY

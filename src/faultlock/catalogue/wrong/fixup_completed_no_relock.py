# SPDX-License-Identifier: GPL-2.0-only
"""fixup-completed-no-relock: fixup_user_fault goes on without mmap_lock after a fault that was throttled.

Must be found as: S4 in throttled-fixup+mmap
"""

base = "drop-retry"


def fixup_user_fault(address: Address, write: bool) -> bool:
    """Resolve a fault for a caller that holds mmap_lock and cannot use GUP (futex).

    Source: fixup_user_fault, mm/gup.c, 6.12
    Context: mmap_lock of current.mm held for read before and after
    Returns: True if the page was faulted in
    Left out: RETRY_NOWAIT callers (s390 6.12, broken there: spec 8.11)
    """
    fault_flags: fault_flag_t = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE
    if write:
        fault_flags |= FAULT_FLAG_WRITE
    while True:
        vma = vma_lookup(current.mm, address)
        if vma is None:
            return False
        if access_error(vma, write):
            return False
        if current.fatal_signal_pending:
            return False
        result = handle_mm_fault(vma, address, fault_flags)
        if result & VM_FAULT_COMPLETED:
            return True
        if result & VM_FAULT_ERROR:
            return False
        if result & VM_FAULT_RETRY == 0:
            return True
        mmap_read_lock(current.mm)
        fault_flags |= FAULT_FLAG_TRIED

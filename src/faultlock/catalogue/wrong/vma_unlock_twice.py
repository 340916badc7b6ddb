# SPDX-License-Identifier: GPL-2.0-only
"""vma-unlock-twice: the VMA lock of a fault is released twice.

Must be found as: S4 in fault+mprotect-part
"""

base = "drop-retry"


def fault_with_vma_lock(address: Address, write: bool, flags: fault_flag_t) -> int:
    """Attempt A1.

    Source: do_user_addr_fault, part under CONFIG_PER_VMA_LOCK, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after
    Returns: the result; -1: the VMA lock was not available, take mmap_lock
    Left out: nothing
    """
    vma = lock_vma_under_rcu(current.mm, address)  # 2.2.3
    if vma is None:
        return -1
    if access_error(vma, write):  # 2.2.4
        vma_end_read(vma)
        emit("VMA_LOCK_SUCCESS")
        return VM_FAULT_SIGSEGV
    count_attempt()
    fault = handle_mm_fault(vma, address, flags | FAULT_FLAG_VMA_LOCK)  # 2.2.5
    if (fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) == 0:
        vma_end_read(vma)
        vma_end_read(vma)
    if (fault & VM_FAULT_RETRY) == 0:  # 2.2.6
        emit("VMA_LOCK_SUCCESS")
    else:
        emit("VMA_LOCK_RETRY")
    return fault

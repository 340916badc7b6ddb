# SPDX-License-Identifier: GPL-2.0-only
"""completed-not-honoured: a fault that was throttled releases mmap_lock a second time.

Must be found as: S4 in throttled-write+mmap
"""

base = "drop-retry"


def fault_with_mmap_lock(address: Address, write: bool, user: bool, first_flags: fault_flag_t) -> int:
    """Attempts A2, A3 ...

    Source: do_user_addr_fault from label `retry` on, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after
    Returns: the result; RETRY: a signal ended it
    Left out: nothing
    """
    flags = first_flags
    while True:
        vma = lock_mm_and_find_vma(current.mm, address)  # 2.2.8
        if vma is None:
            return VM_FAULT_SIGSEGV
        if access_error(vma, write):  # 2.2.9
            mmap_read_unlock(current.mm)
            return VM_FAULT_SIGSEGV
        count_attempt()
        fault = handle_mm_fault(vma, address, flags)  # 2.2.10
        if fault_signal_pending(fault, user):  # 2.2.11
            return fault
        if (fault & VM_FAULT_RETRY) == 0:
            mmap_read_unlock(current.mm)
            return fault
        flags |= FAULT_FLAG_TRIED

# SPDX-License-Identifier: GPL-2.0-only
"""retry-without-tried: a redo does not say that it is one.

Must be found as: L5 in fault-missing+reclaim
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
        if (fault & VM_FAULT_COMPLETED) != 0:  # 2.2.12
            return fault
        if (fault & VM_FAULT_RETRY) == 0:
            mmap_read_unlock(current.mm)
            return fault


def do_user_addr_fault(address: Address, write: bool, user: bool) -> Trap:
    """A page fault on a user address.

    Source: do_user_addr_fault, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after (a kernel-mode access may hold i_rwsem and the like)
    Returns: how it ended
    Left out: instruction fetches count as reads; perf events
    """
    trap_enter()  # 2.2.1
    cpu("fault_entry")
    emit("FAULT_BEGIN", address, write, user)
    flags: fault_flag_t = FAULT_FLAG_DEFAULT
    if write:
        flags |= FAULT_FLAG_WRITE
    fault = -1
    if user:  # 2.2.2
        flags |= FAULT_FLAG_USER
        fault = fault_with_vma_lock(address, write, flags)
        if fault != -1:
            if (fault & (VM_FAULT_RETRY | VM_FAULT_MAJOR)) == (VM_FAULT_RETRY | VM_FAULT_MAJOR):  # 2.2.7
                flags |= FAULT_FLAG_ALLOW_RETRY
            if (fault & VM_FAULT_RETRY) != 0:
                if not fault_signal_pending(fault, user):
                    fault = -1
    if fault == -1:
        fault = fault_with_mmap_lock(address, write, user, flags)
    emit("FAULT_END", address, fault, user)
    cpu("fault_exit")
    trap_exit()
    return trap_result(fault, user)  # 2.2.13

# SPDX-License-Identifier: GPL-2.0-only
"""tried-from-the-start: the first attempt carries TRIED, so it never releases the lock.

Must be found as: S16 in fault+kill
"""

base = "drop-retry"


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
        flags |= FAULT_FLAG_USER | FAULT_FLAG_TRIED
        fault = fault_with_vma_lock(address, write, flags)
        if fault != -1:
            if (fault & (VM_FAULT_RETRY | VM_FAULT_MAJOR)) == (VM_FAULT_RETRY | VM_FAULT_MAJOR):  # 2.2.7
                flags |= FAULT_FLAG_TRIED
            if (fault & VM_FAULT_RETRY) != 0:
                if not fault_signal_pending(fault, user):
                    fault = -1
    if fault == -1:
        fault = fault_with_mmap_lock(address, write, user, flags)
    emit("FAULT_END", address, fault, user)
    cpu("fault_exit")
    trap_exit()
    return trap_result(fault, user)  # 2.2.13

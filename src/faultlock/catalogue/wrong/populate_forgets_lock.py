# SPDX-License-Identifier: GPL-2.0-only
"""populate-forgets-lock: get_user_pages does not note that a fault released mmap_lock.

Must be found as: S4 in populate+any
"""

base = "drop-retry"


def faultin_page(vma: VMA, address: Address, foll_flags: foll_t) -> errno_t:
    """Make one fault for GUP.

    Source: faultin_page, mm/gup.c, 6.12
    Context: mmap_lock held for read; current.gup_locked is cleared if the fault released it
    Returns: 0 look again; -EBUSY/-EAGAIN stop without error; -EFAULT, -ENOMEM
    Left out: hardware poison, the sanity check that NOWAIT keeps the lock is an assert
    """
    if foll_flags & FOLL_NOFAULT:
        return -EFAULT
    fault_flags = gup_fault_flags(foll_flags)  # 8.10.2
    result = handle_mm_fault(vma, address, fault_flags)
    if result & VM_FAULT_COMPLETED:
        assert fault_flags & FAULT_FLAG_RETRY_NOWAIT == 0, "S5 result contract: COMPLETED with NOWAIT"
        current.gup_locked = False  # 8.10.4
        return -EAGAIN
    if result & VM_FAULT_ERROR:
        if result & VM_FAULT_OOM:
            return -ENOMEM
        return -EFAULT
    if result & VM_FAULT_RETRY:
        if fault_flags & FAULT_FLAG_RETRY_NOWAIT:
            return -EBUSY  # 8.10.5
        return -EBUSY
    return 0

# SPDX-License-Identifier: GPL-2.0-only
"""mapped-unlocked: the folio is unlocked before its page table entry is set.

Must be found as: S2 in fault-missing+kill
"""

base = "hold"


def do_read_fault() -> vm_fault_t:
    """Read or execute: map what is cached around the address, else ask the file system.

    Source: do_read_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY: released
    Returns: 0, NOPAGE, RETRY, errors; | MAJOR
    Left out: userfaultfd
    """
    if current.vmf_vma.map_pages and FAULT_AROUND_PAGES > 1:
        ret = do_fault_around()  # 4.3r1
        if ret != 0:
            return ret
    ret = vmf_can_call_fault()  # 4.3r2
    if ret != 0:
        return ret
    ret = __do_fault()  # 4.3r3
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:  # 4.3r4
        return ret
    folio = current.vmf_page
    folio_unlock(folio)
    ret |= finish_fault_pte(False)
    cpu("finish_fault")
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) != 0:
        folio_put(folio)
    return ret

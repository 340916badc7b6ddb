# SPDX-License-Identifier: GPL-2.0-only
"""anon-retry-ignored: a first write to anonymous memory goes on after it released the VMA lock.

Must be found as: S7 in anon-fault+mmap
"""

base = "drop-retry"


def do_anonymous_page() -> vm_fault_t:
    """First touch of anonymous memory.

    Source: do_anonymous_page, mm/memory.c, 6.12
    Context: fault lock held; RETRY: VMA lock released (anon_vma)
    Returns: 0, SIGBUS, OOM, RETRY
    Left out: the zero page is an ordinary page here; userfaultfd; large folios
    """
    vm_flags = current.vmf_vma.vm_flags
    if (vm_flags & VM_SHARED) != 0:
        return VM_FAULT_SIGBUS
    pte_alloc(current.vmf_vma.vm_mm, current.vmf_address)
    flags: pte_flags_t = PTE_ACCESSED
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0:
        vmf_anon_prepare()
        flags |= PTE_WRITE
    if not alloc_private_page():
        return VM_FAULT_OOM
    cpu("clear_page")
    if not anon_map(flags):
        return VM_FAULT_SIGBUS
    return 0

# SPDX-License-Identifier: GPL-2.0-only
"""read-fault-writable: a read fault makes its entry writable.

Must be found as: S17 in fault+fault
"""

base = "drop-retry"


@atomic
def finish_fault_pte(cow: bool) -> vm_fault_t:
    """Set the PTE (7.0: all PTEs of the folio that fit) unless it changed meanwhile.

    Source: finish_fault, mm/memory.c, 6.12; 7.0
    Context: PTL; folio locked and referenced; the reference goes to the PTE
    Returns: 0, NOPAGE (somebody mapped the address), SIGBUS (OOM-reaped)
    Left out: mapping a huge page by one PMD
    """
    vma = current.vmf_vma
    mm = vma.vm_mm
    address = current.vmf_address
    if (vma.vm_flags & VM_SHARED) == 0 and mm.unstable:
        current.read_failed = True
        return VM_FAULT_SIGBUS
    if pte_present(mm, address):
        return VM_FAULT_NOPAGE
    if cow:
        set_private_pte(mm, address, PTE_ACCESSED | PTE_WRITE)
        current.vmf_cow_page = False
        return 0
    folio = current.vmf_page
    flags = PTE_ACCESSED | PTE_WRITE
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0:
        flags = PTE_ACCESSED | PTE_WRITE
    first = address
    nr = 1
    if KERNEL_VERSION >= 700 and folio_fits_mapping(vma, folio):
        start = address - (current.vmf_pgoff - folio.index)
        if range_is_empty(mm, start, 1 << folio.order):
            first = start
            nr = 1 << folio.order
    for i in range(first, first + nr):
        set_pte(vma, i, folio, flags)
    folio_put(folio)
    return 0

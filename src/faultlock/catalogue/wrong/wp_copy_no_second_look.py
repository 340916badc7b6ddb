# SPDX-License-Identifier: GPL-2.0-only
"""wp-copy-no-second-look: a copy is mapped although the page table entry has changed.

Must be found as: S10 in cow-mapped+truncate
"""

base = "drop-retry"


@atomic
def pte_replace_by_copy(folio: Folio):
    """Put the copy in place, if the PTE still is what was copied.

    Source: wp_page_copy under the PTL, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: nothing
    Left out: nothing
    """
    mm = current.vmf_vma.vm_mm
    set_private_pte(mm, current.vmf_address, PTE_ACCESSED | PTE_WRITE)

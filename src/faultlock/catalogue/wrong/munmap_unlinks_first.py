# SPDX-License-Identifier: GPL-2.0-only
"""munmap-unlinks-first: munmap takes a VMA off the list of its file before it empties the page tables.

Must be found as: S1 in munmap+truncate
"""

base = "drop-retry"


def vms_clear_ptes(mm: MM, first: VMA):
    """Empty the page tables of detached VMAs and free the tables.

    Source: vms_clear_ptes, unmap_region, mm/vma.c, 6.12
    Context: mmap_lock held for read (munmap) or write (MAP_FIXED); VMAs are out of the tree
    Returns: nothing
    Left out: nothing
    """
    vma = first
    while vma is not None:
        start = vma_start(vma)
        end = vma_end(vma)
        unlink_file_vma(vma)
        zap_page_range_single(vma, start, end, True)
        freed = free_vma_pgtables(mm, vma)
        cpu("free_page_table", freed)
        vma = vma.next_detached

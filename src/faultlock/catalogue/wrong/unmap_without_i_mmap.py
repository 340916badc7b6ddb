# SPDX-License-Identifier: GPL-2.0-only
"""unmap-without-i-mmap: who maps a file is looked up without i_mmap_rwsem.

Must be found as: S0 in munmap+truncate
"""

base = "drop-retry"


def unmap_mapping_range(mapping: Mapping, first: Index, last: int, even_cows: bool):
    """Remove the entries for file indexes [first, last] from all address spaces.

    Source: unmap_mapping_pages, unmap_mapping_range, mm/memory.c, 6.12
    Context: takes i_mmap_rwsem for read, no mmap_lock, no VMA lock, no folio lock
    Returns: nothing
    Left out: nothing
    """
    vma = mapping.i_mmap
    while vma is not None:
        start = unmap_start(vma, first)
        end = unmap_end(vma, last)
        if start < end:
            zap_page_range_single(vma, start, end, even_cows)
        vma = vma.next_in_mapping

# SPDX-License-Identifier: GPL-2.0-only
"""exit-frees-under-read-lock: exit frees VMAs with mmap_lock held for reading.

Must be found as: S8 in cow+fork+child
"""

base = "drop-retry"


def exit_mmap(mm: MM):
    """Tear an address space down.

    Source: exit_mmap, mm/mmap.c, 6.12
    Context: last user; mmap_lock read, then write, both uninterruptible
    Returns: nothing
    Left out: mmu notifiers, huge page tables
    """
    mmap_read_lock(mm)  # 8.7.3
    vma = find_vma(mm, 0)
    while vma is not None:
        start = vma_start(vma)
        end = vma_end(vma)
        zap_page_range_single(vma, start, end, True)  # 8.7.4
        vma = vma_next(mm, vma)
    mm.oom_skip = True
    vma = find_vma(mm, 0)
    while vma is not None:
        unlink_file_vma(vma)
        vma_mark_detached(vma)
        cpu("vma_free")
        with atomic:
            vma_erase(mm, vma)
            free_vma_pgtables(mm, vma)
            remove_vma(vma)
        vma = find_vma(mm, 0)
    mmap_write_unlock(mm)

# SPDX-License-Identifier: GPL-2.0-only
"""mremap-moves-without-rmap: the VMA that mremap makes does not come on the list of its file.

Must be found as: S8 in fault+mremap
"""

base = "drop-retry"


def move_vma(vma: VMA, old: Address, length: Address, new: Address) -> bool:
    """Move a part of a VMA to another address.

    Source: move_vma, copy_vma, move_page_tables, mm/mremap.c, 6.12
    Context: mmap_lock held for write; waits for the readers of vma, uninterruptible
    Returns: True; False (-ENOMEM) when there is no VMA left
    Left out: MREMAP_DONTUNMAP, undoing
    """
    mm = vma.vm_mm
    vma_start_write(vma)
    with atomic:
        pgoff: Index = 0
        if vma.vm_file is not None:
            pgoff = vma.vm_pgoff + old - vma.vm_start
        copy = vm_area_alloc(mm, vma.vm_file, new, new + length, pgoff, vma.vm_flags)
        if copy is None:
            return False
        copy.anon_vma = vma.anon_vma
        vma_insert(mm, copy)
        vma_set_write_locked(copy)
    if vma.vm_file is not None:
        i_mmap_lock_write(vma.vm_file.f_mapping)
    moved = move_ptes(mm, old, new, length)
    cpu("move_pte", moved)
    if vma.vm_file is not None:
        i_mmap_unlock_write(vma.vm_file.f_mapping)
    do_vmi_munmap(mm, old, old + length, False)
    return True

# SPDX-License-Identifier: GPL-2.0-only
"""fork-child-not-linked: the child's VMA does not come on the list of its file.

Must be found as: S8 in fault+fork+child
"""

base = "drop-retry"


def dup_mmap_vma(vma: VMA, child: MM) -> bool:
    """Copy one VMA.

    Source: body of the loop in dup_mmap, kernel/fork.c, 6.12
    Context: mmap_lock held for write
    Returns: True; False: killed, or no VMA left
    Left out: nothing
    """
    if not dup_mmap_lock_vma(vma):  # 8.5.4a
        return False
    if vma.vm_flags & VM_DONTCOPY:
        return True
    if current.fatal_signal_pending:  # 8.5.4b
        return False
    cpu("fork_vma")
    if child is not None:
        copy = vma_dup_for_fork(vma, child)  # 8.5.4c
        if copy is None:
            return False
    elif vma.vm_file is not None:
        # Model: the child's VMA is not made; its place in the file's list is taken and given back.
        i_mmap_lock_write(vma.vm_file.f_mapping)
        i_mmap_unlock_write(vma.vm_file.f_mapping)
    if vma.vm_flags & VM_WIPEONFORK == 0:
        copy_page_range(vma, child)  # 8.5.4d
    return True

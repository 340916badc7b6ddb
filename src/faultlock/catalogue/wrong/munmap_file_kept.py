# SPDX-License-Identifier: GPL-2.0-only
"""munmap-file-kept: munmap keeps the VMA's reference to the file.

Must be found as: S3 in fault+munmap
"""

base = "drop-retry"


@atomic
def remove_vma(vma: VMA):
    """Drop what a VMA owns and free it.

    Source: remove_vma, mm/vma.c, 6.12
    Context: out of the tree, no readers, page tables empty, unlinked from the file
    Returns: nothing
    Left out: vm_ops->close
    """
    vma_forget_write_lock(vma)
    if vma.vm_file is not None:
        pass
    vm_area_free(vma)

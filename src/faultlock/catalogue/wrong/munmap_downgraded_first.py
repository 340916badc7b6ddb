# SPDX-License-Identifier: GPL-2.0-only
"""munmap-downgraded-first: munmap downgrades mmap_lock before it has taken the VMAs out of the tree.

Must be found as: S9 in fault+munmap
"""

base = "drop-retry"


def do_vmi_munmap(mm: MM, start: Address, end: Address, unlock: bool):
    """Unmap a range.

    Source: do_vmi_munmap, do_vmi_align_munmap, vms_complete_munmap_vmas, mm/vma.c, 6.12
    Context: mmap_lock held for write; with unlock it is downgraded and released, else kept
    Returns: nothing
    Left out: errors (-ENOMEM of a split leaves the range partly mapped)
    """
    if unlock:
        mmap_write_downgrade(mm)
    first = vms_gather_munmap_vmas(mm, start, end)
    if first is not None:
        vms_clear_ptes(mm, first)
        remove_detached_vmas(first)
    if unlock:
        mmap_read_unlock(mm)

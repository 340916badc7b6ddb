# SPDX-License-Identifier: GPL-2.0-only
"""munmap-wrong-unlock: munmap releases the lock that it has downgraded as a writer.

Must be found as: S4 in proc-smaps+munmap
"""

base = "drop-retry"


def do_vmi_munmap(mm: MM, start: Address, end: Address, unlock: bool):
    """Unmap a range.

    Source: do_vmi_munmap, do_vmi_align_munmap, vms_complete_munmap_vmas, mm/vma.c, 6.12
    Context: mmap_lock held for write; with unlock it is downgraded and released, else kept
    Returns: nothing
    Left out: errors (-ENOMEM of a split leaves the range partly mapped)
    """
    first = vms_gather_munmap_vmas(mm, start, end)
    if unlock:
        mmap_write_downgrade(mm)
    if first is not None:
        vms_clear_ptes(mm, first)
        remove_detached_vmas(first)
    if unlock:
        mmap_write_unlock(mm)

# SPDX-License-Identifier: GPL-2.0-only
"""mprotect-hole-keeps-lock: mprotect finds no VMA any more and returns with mmap_lock held.

Must be found as: S4 in mprotect+munmap
"""

base = "drop-retry"


def do_mprotect(start: Address, end: Address, prot: vm_flags_t) -> errno_t:
    """mprotect(2).  prot: VM_READ, VM_WRITE, VM_EXEC.

    Source: do_mprotect_pkey, mm/mprotect.c, 6.12
    Context: takes mmap_lock for write, killable
    Returns: 0, -EINTR, -ENOMEM
    Left out: protection keys, PROT_GROWSDOWN
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    address: Address = start
    error: errno_t = 0
    while address < end:
        vma = find_vma_intersection(mm, address, end)
        if vma is None:
            return -ENOMEM
        cpu("mprotect_vma")
        address = max(address, vma.vm_start)
        part_end = populate_end(vma, end)
        new_flags = protection_flags(vma, prot)
        error = mprotect_fixup(vma, address, part_end, new_flags)
        if error != 0:
            break
        address = part_end
    mmap_write_unlock(mm)
    return error

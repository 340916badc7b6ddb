# SPDX-License-Identifier: GPL-2.0-only
"""mprotect-without-vma-lock: mprotect changes a VMA without write-locking it.

Must be found as: S8 in fault+mprotect
"""

base = "drop-retry"


def mprotect_fixup(vma: VMA, start: Address, end: Address, new_flags: vm_flags_t) -> errno_t:
    """Give [start, end), which lies in vma, new permissions.

    Source: mprotect_fixup, mm/mprotect.c, 6.12
    Context: mmap_lock held for write; waits for readers of what it changes, uninterruptible
    Returns: 0 or -ENOMEM
    Left out: accounting, sealed mappings
    """
    old_flags = vma.vm_flags
    if new_flags == old_flags:
        return 0
    target = vma_modify_flags(vma, start, end, new_flags)
    if target is None:
        return -ENOMEM
    vm_flags_reset(target, new_flags)
    change_protection(target, start, end, new_flags)
    if must_populate_cow(old_flags, new_flags):
        # Under the *write* lock and without ALLOW_RETRY: waits for I/O uninterruptibly.
        populate_vma_page_range(target, start, end, False)
    return 0

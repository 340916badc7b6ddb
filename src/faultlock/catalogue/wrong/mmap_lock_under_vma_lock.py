# SPDX-License-Identifier: GPL-2.0-only
"""mmap-lock-under-vma-lock: a private write waits for mmap_lock with the VMA lock held.

Must be found as: S15 in cow-fault+truncate
"""

base = "drop-retry"


def vmf_anon_prepare() -> vm_fault_t:
    """Make sure that the VMA has an anon_vma before a private page is mapped.

    Source: __vmf_anon_prepare, mm/memory.c, 6.12
    Context: fault lock held; tries mmap_lock under the VMA lock, never sleeps for it; RETRY: VMA lock released
    Returns: 0, or VM_FAULT_RETRY
    Left out: out of memory
    """
    if current.vmf_vma.anon_vma:
        return 0
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) == 0:
        current.vmf_vma.anon_vma = True
        return 0
    mmap_read_lock(current.vmf_vma.vm_mm)
    cpu("anon_vma_prepare")
    current.vmf_vma.anon_vma = True
    mmap_read_unlock(current.vmf_vma.vm_mm)
    return 0

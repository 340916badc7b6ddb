# SPDX-License-Identifier: GPL-2.0-only
"""anon-vma-lock-kept: the mmap_lock taken to make an anon_vma is not released.

Must be found as: S4 in cow-fault+truncate
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
    if not mmap_read_trylock(current.vmf_vma.vm_mm):
        release_fault_lock()
        return VM_FAULT_RETRY
    cpu("anon_vma_prepare")
    current.vmf_vma.anon_vma = True
    return 0

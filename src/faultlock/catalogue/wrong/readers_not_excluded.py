# SPDX-License-Identifier: GPL-2.0-only
"""readers-not-excluded: a VMA's writer lets new readers in while it waits.

Must be found as: S9 in fault+fork
"""

base = "drop-retry"


@atomic
def vma_exclude_readers(vma: VMA):
    """6.15+: from now on no reader gets in.

    Source: __vma_start_exclude_readers, mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.vm_mm.vma_writer_wait = current
    current.wait_woken = False

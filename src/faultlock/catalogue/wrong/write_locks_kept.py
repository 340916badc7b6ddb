# SPDX-License-Identifier: GPL-2.0-only
"""write-locks-kept: mmap_lock is released and its VMA write locks are not.

Must be found as: S9 in fault+fork
"""

base = "drop-retry"


@atomic
def mmap_write_unlock(mm: MM):
    """End all VMA write locks of mm, then release mmap_lock held exclusively.

    Source: mmap_write_unlock, include/linux/mmap_lock.h, 6.12
    Context: held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    current.holds_mmap_lock = None
    current.mmap_lock_mode = LockMode.NONE
    emit("LOCK_RELEASED", LOCK_MMAP, mm, LockMode.WRITE)
    up_write(mm.mmap_lock)

# SPDX-License-Identifier: GPL-2.0-only
"""pin-dropped-before-use: the file reference is dropped before the wait, the file is used after it.

Must be found as: S7 in fault+munmap
"""

base = "drop-retry"


def maybe_unlock_mmap_for_io():
    """Pin the file and release the fault lock, on the first attempt (spec: U()).

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12
    Context: fault lock held, or released by an earlier call; released if allowed
    Returns: nothing; current.pinned_file is set once the lock is released
    Left out: nothing
    """
    if current.pinned_file is not None:
        return
    if not fault_flag_allow_retry_first():
        return
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return
    get_file(current.vmf_vma.vm_file)
    release_fault_lock()
    fput(current.pinned_file)

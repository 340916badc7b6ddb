# SPDX-License-Identifier: GPL-2.0-only
"""fork-failed-child-kept: a fork that fails keeps the half-made address space of its child.

Must be found as: S3 in fork+child+kill
"""

base = "drop-retry"


def sys_fork() -> errno_t:
    """fork(2): a new process with a copy of this address space.

    Source: kernel_clone, copy_process, copy_mm, kernel/fork.c, 6.12
    Context: nothing held before and after
    Returns: 0, or -EINTR, -ENOMEM
    Left out: everything but the address space; a signal pending at the start
    """
    trap_enter()
    emit("FORK_BEGIN")
    child = mm_alloc()
    complete = dup_mmap(child)
    if child is not None:
        started = complete
        if complete:
            started = wake_up_new_task(child)
    emit("FORK_END", complete)
    trap_exit()
    if complete:
        return 0
    return -EINTR if current.fatal_signal_pending else -ENOMEM

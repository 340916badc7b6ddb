# SPDX-License-Identifier: GPL-2.0-only
"""up-write-without-wake: a writer that gives a semaphore up wakes nobody.

Must be found as: L1 in fault+mprotect
"""

base = "drop-retry"


@atomic
def up_write(sem: RwSemaphore):
    """Release an exclusive lock and wake the head of the queue.

    Source: up_write, kernel/locking/rwsem.c, 6.12
    Context: sem held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    assert sem.writer == current, "S4 lock balance: up_write by a thread that is not the owner"
    sem.writer = None
    sem.nonspinnable = False

# SPDX-License-Identifier: GPL-2.0-only
"""up-read-without-wake: the last reader of a semaphore does not wake who waits for it.

Must be found as: L1 in fault+mprotect
"""

base = "drop-retry"


@atomic
def up_read(sem: RwSemaphore):
    """Release a shared lock; the last reader wakes the head of the queue.

    Source: up_read, kernel/locking/rwsem.c, 6.12
    Context: sem held shared
    Returns: nothing
    Left out: nothing
    """
    assert sem.readers > 0, "S4 lock balance: up_read of a semaphore that no reader holds"
    sem.readers -= 1
    if sem.readers == 0:
        sem.nonspinnable = False
        pass

# SPDX-License-Identifier: GPL-2.0-only
"""trylock-ignores-readers: a writer takes a semaphore that has readers.

Must be found as: S9 in fault+munmap
"""

base = "drop-retry"


@atomic
def down_write_trylock(sem: RwSemaphore) -> bool:
    """Take the lock exclusively if it is free and nobody is queued.

    Source: down_write_trylock, rwsem_write_trylock, kernel/locking/rwsem.c, 6.12
    Context: any; does not sleep
    Returns: True if the lock was taken
    Left out: nothing
    """
    if sem.writer is not None or sem.first_waiter is not None:
        return False
    sem.writer = current
    return True

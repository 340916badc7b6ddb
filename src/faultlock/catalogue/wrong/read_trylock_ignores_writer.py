# SPDX-License-Identifier: GPL-2.0-only
"""read-trylock-ignores-writer: a reader takes a semaphore that has a writer.

Must be found as: S9 in fault+munmap
"""

base = "drop-retry"


@atomic
def down_read_trylock(sem: RwSemaphore) -> bool:
    """Take the lock shared if there is neither a writer nor a queue.

    Source: down_read_trylock, rwsem_read_trylock, kernel/locking/rwsem.c, 6.12
    Context: any; does not sleep
    Returns: True if the lock was taken
    Left out: overflow of the reader count
    """
    if sem.first_waiter is not None or sem.handoff:
        return False  # 3.3.4
    sem.readers += 1  # 3.3.1
    return True

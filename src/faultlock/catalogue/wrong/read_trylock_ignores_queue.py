# SPDX-License-Identifier: GPL-2.0-only
"""read-trylock-ignores-queue: readers go past a writer that waits.

Must be found as: L10 in faults-forever+mmap
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
    if sem.writer is not None:
        return False  # 3.3.4
    sem.readers += 1  # 3.3.1
    return True


@atomic
def rwsem_read_steal_or_queue(sem: RwSemaphore) -> bool:
    """Reader slow path: steal a lock that nobody holds, else queue.

    Source: rwsem_down_read_slowpath, kernel/locking/rwsem.c, 6.12
    Context: any
    Returns: True if the lock was taken; False: queued, wait for wait_woken
    Left out: the reader-owned hint; other readers counted says the same (spec 3.3 item 2)
    """
    if sem.writer is None and not sem.handoff:
        if sem.first_waiter is None or sem.readers > 0:
            sem.readers += 1
            return True
        if RWSEM_STEAL == 1 and sem.readers == 0:  # 3.3.2
            sem.readers += 1
            rwsem_wake(sem, False)
            return True
    rwsem_enqueue(sem, WaitKind.READ)  # 3.3.3
    if sem.writer is None:
        rwsem_wake(sem, sem.readers == 0)
    return False

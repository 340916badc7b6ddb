# SPDX-License-Identifier: GPL-2.0-only
"""downgrade-keeps-writer: a downgraded semaphore keeps its writer.

Must be found as: L1 in fault+munmap
"""

base = "drop-retry"


@atomic
def downgrade_write(sem: RwSemaphore):
    """Turn an exclusive lock into a shared one; queued readers at the head are granted.

    Source: downgrade_write, kernel/locking/rwsem.c, 6.12
    Context: sem held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    assert sem.writer == current, "S4 lock balance: downgrade_write by a thread that is not the owner"
    sem.readers += 1
    rwsem_wake(sem, False)  # 3.3.8

# SPDX-License-Identifier: GPL-2.0-only
"""The wait list of a reader/writer semaphore: queue, leave, grant, wake (spec 3.3).

# Model: all of this happens under sem->wait_lock in the kernel; each function is one step.
"""


@atomic
def rwsem_enqueue(sem: RwSemaphore, kind: WaitKind):
    """Add the current thread to the tail of the wait list.

    Source: rwsem_add_waiter, kernel/locking/rwsem.c, 6.12
    Context: sem->wait_lock
    Returns: nothing
    Left out: the time-out stamp; handoff by time is a choice (rwsem_handoff_due)
    """
    current.wait_kind = kind
    current.wait_next = None
    current.wait_woken = False
    current.wait_granted = False
    current.wait_handoff = False
    if sem.first_waiter is None:
        sem.first_waiter = current
    else:
        sem.last_waiter.wait_next = current
    sem.last_waiter = current  # 3.1.6


@atomic
def rwsem_remove(sem: RwSemaphore, waiter: Thread):
    """Take a thread out of the wait list; the handoff bit does not survive an empty list.

    Source: rwsem_del_waiter, kernel/locking/rwsem.c, 6.12
    Context: sem->wait_lock
    Returns: nothing
    Left out: nothing
    """
    if sem.first_waiter == waiter:
        sem.first_waiter = waiter.wait_next
        if sem.first_waiter is None:
            sem.last_waiter = None
    else:
        before = sem.first_waiter
        while before.wait_next != waiter:
            before = before.wait_next
        before.wait_next = waiter.wait_next
        if sem.last_waiter == waiter:
            sem.last_waiter = before
    waiter.wait_next = None
    waiter.wait_kind = WaitKind.NONE
    if sem.first_waiter is None:
        sem.handoff = False


@atomic
def rwsem_grant_readers(sem: RwSemaphore):
    """Give the lock to every queued reader, wherever it stands in the queue (at most 256).

    Source: rwsem_mark_wake, second half, kernel/locking/rwsem.c, 6.12
    Context: sem->wait_lock
    Returns: nothing
    Left out: nothing
    """
    woken = 0
    waiter: Thread = sem.first_waiter
    before: Thread = None
    while waiter is not None and woken < MAX_READERS_WAKEUP:
        following: Thread = waiter.wait_next
        if waiter.wait_kind == WaitKind.READ:
            if before is None:
                sem.first_waiter = following
            else:
                before.wait_next = following
            if following is None:
                sem.last_waiter = before
            waiter.wait_next = None
            waiter.wait_kind = WaitKind.NONE
            sem.readers += 1
            woken += 1
            waiter.wait_granted = True
            waiter.wait_woken = True
        else:
            before = waiter
        waiter = following
    sem.handoff = False


@atomic
def rwsem_wake(sem: RwSemaphore, writers_too: bool):
    """Wake the head of the queue after the lock became (more) available.

    Source: rwsem_wake, rwsem_mark_wake (RWSEM_WAKE_ANY when writers_too), kernel/locking/rwsem.c, 6.12
    Context: sem->wait_lock
    Returns: nothing
    Left out: the handoff bit that a reader at the head sets when it waited 4 ms in vain
    """
    if sem.first_waiter is None:
        return
    if sem.first_waiter.wait_kind == WaitKind.READ:
        if sem.writer is None:
            rwsem_grant_readers(sem)  # 3.3.6
        return
    if not writers_too:
        return
    if RWSEM_STEAL == 1:
        sem.first_waiter.wait_woken = True
        return
    # Model: without stealing the woken writer always gets the lock: it is handed over here,
    # which saves the states between wake-up and acquisition.
    if sem.writer is None and sem.readers == 0:
        waiter = sem.first_waiter
        rwsem_remove(sem, waiter)
        sem.writer = waiter
        waiter.wait_granted = True
        waiter.wait_woken = True


@atomic
def rwsem_abort_wait(sem: RwSemaphore) -> bool:
    """Leave the wait list after a fatal signal, unless the lock was granted meanwhile.

    Source: out_nolock of rwsem_down_read_slowpath and rwsem_down_write_slowpath, 6.12
    Context: current is in the wait list, or was granted the lock
    Returns: True: the wait is over without the lock; False: the lock is held
    Left out: nothing
    """
    if current.wait_granted:
        rwsem_wait_done()
        return False
    if current.wait_kind == WaitKind.WRITE and rwsem_try_write_lock(sem, False):
        return False
    was_first = sem.first_waiter == current
    rwsem_remove(sem, current)  # 3.3.9
    current.wait_woken = False
    current.wait_handoff = False
    if was_first:
        rwsem_wake(sem, True)
    return True


@atomic
def rwsem_wait_done():
    """Reset the flags of a finished wait.

    Source: none (the waiter is on the kernel stack and vanishes)
    Context: current was woken and holds the lock
    Returns: nothing
    Left out: nothing
    """
    current.wait_woken = False
    current.wait_granted = False
    current.wait_handoff = False


@atomic
def rwsem_read_steal_or_queue(sem: RwSemaphore) -> bool:
    """Reader slow path: steal a lock that nobody holds, else queue.

    Source: rwsem_down_read_slowpath, kernel/locking/rwsem.c, 6.12
    Context: any
    Returns: True if the lock was taken; False: queued, wait for wait_woken
    Left out: the reader-owned hint; other readers counted says the same (spec 3.3 item 2)
    """
    if sem.writer is None and not sem.handoff:
        if sem.first_waiter is None:
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


@atomic
def rwsem_write_queue(sem: RwSemaphore) -> bool:
    """Writer slow path: take a lock that became free, else queue.

    Source: rwsem_down_write_slowpath up to its wait loop, kernel/locking/rwsem.c, 6.12
    Context: any
    Returns: True if the lock was taken; False: queued
    Left out: nothing
    """
    if down_write_trylock(sem):
        return True
    rwsem_enqueue(sem, WaitKind.WRITE)
    if sem.first_waiter != current and sem.writer is None:
        rwsem_wake(sem, sem.readers == 0)
    if current.wait_granted:
        rwsem_wait_done()
        return True
    return False

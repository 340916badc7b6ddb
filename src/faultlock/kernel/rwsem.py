# SPDX-License-Identifier: GPL-2.0-only
"""Reader/writer semaphores: mmap_lock, invalidate_lock, i_rwsem, i_mmap_rwsem, 6.12 VMA locks.

Rules (spec 3.3): readers share; a queued waiter sends every new reader to the queue while
readers hold the lock; a release wakes the head of the queue: one writer, or, when the head is
a reader, every queued reader (up to 256).  The queue is FIFO.

# Model: what the kernel does under sem->wait_lock, and the atomic operations on the count
# word, are single steps; the counter, its flag bits and the owner word are fields.
"""


@atomic
def down_read_trylock(sem: RwSemaphore) -> bool:
    """Take the lock shared if there is neither a writer nor a queue.

    Source: down_read_trylock, rwsem_read_trylock, kernel/locking/rwsem.c, 6.12
    Context: any; does not sleep
    Returns: True if the lock was taken
    Left out: overflow of the reader count
    """
    if sem.writer is not None or sem.first_waiter is not None or sem.handoff:
        return False  # 3.3.4
    sem.readers += 1  # 3.3.1
    return True


def rwsem_down_read_slowpath(sem: RwSemaphore, is_killable: bool) -> bool:
    """Wait for the lock in the queue.

    Source: rwsem_down_read_slowpath, kernel/locking/rwsem.c, 6.12
    Context: sleeps; a fatal signal ends the wait when is_killable
    Returns: True: lock held shared; False: killed
    Left out: nothing
    """
    if rwsem_read_steal_or_queue(sem):
        return True
    if is_killable:
        wait(current.wait_woken, killable, on=sem)
        if rwsem_abort_wait(sem):
            return False
        return True
    wait(current.wait_woken, on=sem)  # 3.3.10
    rwsem_wait_done()
    return True


def down_read(sem: RwSemaphore):
    """Take the lock shared.

    Source: down_read, kernel/locking/rwsem.c, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    if down_read_trylock(sem):
        return
    rwsem_down_read_slowpath(sem, False)


def down_read_killable(sem: RwSemaphore) -> bool:
    """Take the lock shared unless a fatal signal comes first.

    Source: down_read_killable, kernel/locking/rwsem.c, 6.12
    Context: sleeps, killable
    Returns: True if the lock was taken (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    if down_read_trylock(sem):
        return True
    return rwsem_down_read_slowpath(sem, True)


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
        rwsem_wake(sem, True)


@atomic
def down_write_trylock(sem: RwSemaphore) -> bool:
    """Take the lock exclusively if it is free and nobody is queued.

    Source: down_write_trylock, rwsem_write_trylock, kernel/locking/rwsem.c, 6.12
    Context: any; does not sleep
    Returns: True if the lock was taken
    Left out: nothing
    """
    if sem.writer is not None or sem.readers != 0 or sem.first_waiter is not None:
        return False
    sem.writer = current
    return True


@atomic
def rwsem_try_write_lock_unqueued(sem: RwSemaphore) -> bool:
    """Take a free lock although waiters exist (a spinning writer does).

    Source: rwsem_try_write_lock_unqueued, kernel/locking/rwsem.c, 6.12
    Context: optimistic spin
    Returns: True if the lock was taken
    Left out: nothing
    """
    if sem.writer is not None or sem.readers != 0 or sem.handoff:
        return False
    sem.writer = current
    return True


@atomic
def rwsem_try_write_lock(sem: RwSemaphore, waited_long: bool) -> bool:
    """A queued writer tries to take the lock; it sets the handoff bit when it waited too long.

    Source: rwsem_try_write_lock, kernel/locking/rwsem.c, 6.12
    Context: sem->wait_lock; current is queued
    Returns: True if the lock was taken (current has left the queue)
    Left out: real-time tasks, which set the handoff bit at once
    """
    current.wait_woken = False
    if sem.handoff and sem.first_waiter != current:
        return False
    if sem.writer is not None or sem.readers != 0:
        if waited_long and not sem.handoff:
            sem.handoff = True  # 3.3.7
            sem.first_waiter.wait_handoff = True
        return False
    rwsem_remove(sem, current)
    sem.handoff = False
    current.wait_handoff = False
    sem.writer = current
    return True


def rwsem_down_write_slowpath(sem: RwSemaphore, is_killable: bool) -> bool:
    """Spin, then wait for the lock in the queue.

    Source: rwsem_down_write_slowpath, kernel/locking/rwsem.c, 6.12
    Context: sleeps; a fatal signal ends the wait when is_killable
    Returns: True: lock held exclusively; False: killed
    Left out: spinning on the owner after setting the handoff bit
    """
    if RWSEM_SPIN == 1:
        if rwsem_optimistic_spin(sem):
            return True
    if rwsem_write_queue(sem):
        return True
    emit("RWSEM_QUEUED")
    while True:
        if RWSEM_STEAL == 1:
            waited_long = 0
            if RWSEM_HANDOFF == 1:
                waited_long = choose(0, 2, "rwsem_handoff_due")
            if rwsem_try_write_lock(sem, waited_long == 1):
                return True
        if not is_killable:
            wait(current.wait_woken, on=sem)
        else:
            wait(current.wait_woken, killable, on=sem)
            if current.fatal_signal_pending:
                return not rwsem_abort_wait(sem)
        if RWSEM_STEAL == 0:
            rwsem_wait_done()
            return True


def rwsem_optimistic_spin(sem: RwSemaphore) -> bool:
    """Spin for the lock while its owner runs, or 10 to 25 us while readers own it.

    Source: rwsem_optimistic_spin, rwsem_can_spin_on_owner, rwsem_rspin_threshold, 6.12
    Context: does not sleep; burns CPU time
    Returns: True if the lock was taken
    Left out: the MCS queue of spinners (two spinners may poll at once)
    """
    if sem.nonspinnable:
        return False
    readers = sem.readers
    polls_left = (20 + min(readers, 30)) // 2  # 3.3.5
    while polls_left > 0:
        if rwsem_try_write_lock_unqueued(sem):
            return True
        if sem.handoff:
            return False
        owner = sem.writer
        if owner is None:
            polls_left -= 1
        else:
            on_cpu = choose(0, 2, "rwsem_owner_on_cpu")
            if on_cpu == 0:
                return False
        cpu("rwsem_spin")
    sem.nonspinnable = True
    return False


def down_write(sem: RwSemaphore):
    """Take the lock exclusively.

    Source: down_write, kernel/locking/rwsem.c, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    if down_write_trylock(sem):
        return
    rwsem_down_write_slowpath(sem, False)


def down_write_killable(sem: RwSemaphore) -> bool:
    """Take the lock exclusively unless a fatal signal comes first.

    Source: down_write_killable, kernel/locking/rwsem.c, 6.12
    Context: sleeps, killable
    Returns: True if the lock was taken (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    if down_write_trylock(sem):
        return True
    return rwsem_down_write_slowpath(sem, True)


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
    rwsem_wake(sem, True)


@atomic
def downgrade_write(sem: RwSemaphore):
    """Turn an exclusive lock into a shared one; queued readers at the head are granted.

    Source: downgrade_write, kernel/locking/rwsem.c, 6.12
    Context: sem held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    assert sem.writer == current, "S4 lock balance: downgrade_write by a thread that is not the owner"
    sem.writer = None
    sem.readers += 1
    rwsem_wake(sem, False)  # 3.3.8

# SPDX-License-Identifier: GPL-2.0-only
"""Who waits, in which queue, for how long, and with what held."""


@atomic
def queue_ends_at(first: Thread, last: Thread) -> bool:
    """Is `last` the end of the queue that begins with `first`?"""
    waiter = first
    while waiter.wait_next is not None:
        waiter = waiter.wait_next
    return waiter == last


@always("S18 wait queues")
def queues_are_whole() -> bool:
    """The last waiter of a folio or semaphore is the end of its queue: who queues behind it is
    found by who wakes."""
    for folio in each(Folio):
        if folio.first_waiter is not None:
            if not queue_ends_at(folio.first_waiter, folio.last_waiter):
                return False
    for sem in each(RwSemaphore):
        if sem.first_waiter is not None:
            if not queue_ends_at(sem.first_waiter, sem.last_waiter):
                return False
    return True


@atomic
def sleeps_on_read(thread: Thread) -> bool:
    """Is the thread asleep in the queue of a folio that is being read?  (Not when it has been
    woken to give its lock up.)"""
    folio = thread.holds_folio
    if folio is None or thread.writer_arrived:
        return False
    if not folio.reading:
        return False
    return thread.wait_kind == WaitKind.EXCLUSIVE or thread.wait_kind == WaitKind.SHARED or thread.wait_kind == WaitKind.HANDOFF


@atomic
def mmap_lock_is_wanted(mm: MM) -> bool:
    """Is a thread queued for mmap_lock?"""
    return mm.mmap_lock.first_waiter is not None


@atomic
def vma_lock_is_wanted(vma: VMA) -> bool:
    """Does a writer wait for the readers of a VMA?"""
    if KERNEL_VERSION < 615:
        return vma.vm_lock.first_waiter is not None
    return vma.exclude_readers


@always("L2 bounded interference")
def no_io_under_wanted_lock() -> bool:
    """Nobody waits for mmap_lock or a VMA lock that a thread holds while it sleeps on I/O."""
    for thread in each(Thread):
        if sleeps_on_read(thread):
            if thread.holds_vma_lock is not None:
                if vma_lock_is_wanted(thread.holds_vma_lock):
                    return False
            if thread.holds_mmap_lock is not None:
                if mmap_lock_is_wanted(thread.holds_mmap_lock):
                    return False
    return True


@always("L5 attempt bound")
def attempt_bound() -> bool:
    """One trap calls handle_mm_fault three times at most."""
    for thread in each(Thread):
        if thread.attempts > 3:
            return False
    return True


@always("S16 flag legality")
def first_attempt_is_not_tried() -> bool:
    """The first attempt of a trap, under the VMA lock, does not carry TRIED."""
    for thread in each(Thread):
        if thread.attempts == 1 and thread.vmf_vma is not None:
            if (thread.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0 and (thread.vmf_flags & FAULT_FLAG_TRIED) != 0:
                return False
    return True

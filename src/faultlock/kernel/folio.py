# SPDX-License-Identifier: GPL-2.0-only
"""Folios: references, the folio lock and those who wait for it (spec 3.4).

The lock is one bit.  A woken waiter that wants the lock has to take the bit itself and may
lose it to somebody who comes along, up to PAGE_LOCK_UNFAIRNESS times; then it asks for the
lock to be handed over.

# Model: a wait queue per folio instead of 256 hashed ones; the hash only adds spurious wake-ups.
"""

# ---- references ---------------------------------------------------------------------------------


@atomic
def folio_nr_pages(folio: Folio) -> int:
    """Number of pages in the folio.

    Source: folio_nr_pages, include/linux/mm.h, 6.12
    Context: any
    Returns: a power of two
    Left out: nothing
    """
    return 1 << folio.order


@atomic
def folio_next_index(folio: Folio) -> int:
    """Index of the first page after the folio.

    Source: folio_next_index, include/linux/pagemap.h, 6.12
    Context: any
    Returns: the index
    Left out: nothing
    """
    return folio.index + (1 << folio.order)


@atomic
def record_folio_reference(folio: Folio):
    """Note in the thread that it holds a reference (ghost).

    Source: none (ghost state of S3)
    Context: reference held
    Returns: nothing
    Left out: nothing
    """
    if current.holds_folio is None:
        current.holds_folio = folio
    else:
        assert current.holds_other_folio is None, "S3 reference balance: a thread holds more than two folio references"
        current.holds_other_folio = folio


@atomic
def forget_folio_reference(folio: Folio):
    """Note in the thread that it gave a reference up (ghost).

    Source: none (ghost state of S3)
    Context: reference held until now
    Returns: nothing
    Left out: nothing
    """
    if current.holds_other_folio == folio:
        current.holds_other_folio = None
    else:
        assert current.holds_folio == folio, "S3 reference balance: folio reference dropped that is not held"
        current.holds_folio = current.holds_other_folio
        current.holds_other_folio = None


@atomic
def folio_get(folio: Folio):
    """Take a reference to a folio that cannot vanish.

    Source: folio_get, include/linux/mm.h, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    assert folio.refcount > 0, "S3 reference balance: folio_get of a free folio"
    folio.refcount += 1
    record_folio_reference(folio)


@atomic
def folio_ref_sub(folio: Folio, nr: int):
    """Drop nr references that no thread holds (page cache, PTEs); free the folio at zero.

    Source: folio_put_refs, include/linux/mm.h, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    assert folio.refcount >= nr, "S3 reference balance: more references dropped than exist"
    folio.refcount -= nr
    if folio.refcount == 0:
        assert not folio.locked, "S3 reference balance: a locked folio is freed"
        assert folio.mapping is None, "S3 reference balance: a folio in the page cache is freed"
        drop_buffers(folio)
        memory_uncharge(1 << folio.order)
        folio_del_lru(folio)
        free(folio)


@atomic
def folio_put(folio: Folio):
    """Drop a reference; the last one frees the folio.

    Source: folio_put, include/linux/mm.h, 6.12
    Context: reference held by current
    Returns: nothing
    Left out: nothing
    """
    forget_folio_reference(folio)
    folio_ref_sub(folio, 1)


# ---- the lock -----------------------------------------------------------------------------------


@atomic
def folio_lock_acquired(folio: Folio):
    """Record that the current thread holds the folio lock.

    Source: none (ghost state and a lock event)
    Context: PG_locked set for current
    Returns: nothing
    Left out: nothing
    """
    folio.locked_by = current
    current.holds_folio_lock = folio
    current.i_size_seen = 0
    if folio.mapping is not None:
        current.i_size_seen = folio.mapping.i_size
    emit("LOCK_ACQUIRED", LOCK_FOLIO, folio, LockMode.WRITE)


@atomic
def folio_trylock(folio: Folio) -> bool:
    """Take the folio lock if it is free.

    Source: folio_trylock, include/linux/pagemap.h, 6.12
    Context: reference held; does not sleep
    Returns: True if the lock was taken
    Left out: nothing
    """
    if folio.locked:
        return False
    folio.locked = True  # 3.4.1
    folio_lock_acquired(folio)
    return True


@atomic
def folio_wake_bit(folio: Folio):
    """Wake the waiters of a folio in order, up to and including one that wants the lock.

    Source: folio_wake_bit, wake_page_function, mm/filemap.c, 6.12
    Context: the lock bit was cleared
    Returns: nothing
    Left out: nothing
    """
    while folio.first_waiter is not None:
        waiter = folio.first_waiter
        if waiter.wait_kind != WaitKind.SHARED and folio.locked:
            return
        folio.first_waiter = waiter.wait_next
        if folio.first_waiter is None:
            folio.last_waiter = None
        kind = waiter.wait_kind
        waiter.wait_next = None
        waiter.wait_kind = WaitKind.NONE
        if kind == WaitKind.HANDOFF:
            folio.locked = True
            folio.locked_by = waiter
            waiter.wait_granted = True
        waiter.wait_woken = True
        if kind != WaitKind.SHARED:  # 3.4.2
            return


@atomic
def folio_unlock(folio: Folio):
    """Release the folio lock and wake waiters.

    Source: folio_unlock, mm/filemap.c, 6.12
    Context: folio lock held by current
    Returns: nothing
    Left out: nothing
    """
    assert folio.locked and folio.locked_by == current, "S14 single fill: folio unlocked by a thread that does not hold its lock"
    folio.locked = False
    folio.locked_by = None
    if current.holds_folio_lock == folio:
        current.holds_folio_lock = None
        current.i_size_seen = 0
    emit("LOCK_RELEASED", LOCK_FOLIO, folio, LockMode.WRITE)
    folio_wake_bit(folio)


@atomic
def folio_end_read(folio: Folio, success: bool):
    """End a read: contents valid (on success) and unlocked in one step.

    Source: folio_end_read, mm/filemap.c, 6.12
    Context: any context, also interrupt; the lock belongs to the read
    Returns: nothing
    Left out: nothing
    """
    assert folio.locked and folio.reading, "S14 single fill: a read ends that was not in flight"
    folio.reading = False
    folio.uptodate = success  # 3.4.6
    folio.locked = False
    emit("LOCK_RELEASED", LOCK_FOLIO, folio, LockMode.WRITE)
    folio_wake_bit(folio)


@atomic
def folio_lock_to_io(folio: Folio):
    """The lock now belongs to the read that was submitted.

    Source: none (nobody owns the bit between submission and completion)
    Context: folio locked by current
    Returns: nothing
    Left out: nothing
    """
    assert folio.locked and folio.locked_by == current, "S14 single fill: read submitted for a folio that the thread has not locked"
    assert not folio.reading, "S14 single fill: two reads of one folio in flight"
    folio.reading = True
    folio.locked_by = None
    if current.holds_folio_lock == folio:
        current.holds_folio_lock = None
        current.i_size_seen = 0

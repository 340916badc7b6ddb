# SPDX-License-Identifier: GPL-2.0-only
"""Waiting for the folio lock, or until a folio is unlocked (mm/filemap.c; spec 3.4).

A woken waiter that wants the lock has to take the bit itself and may lose it to somebody who
comes along, up to PAGE_LOCK_UNFAIRNESS times; then it asks for the lock to be handed over.
"""


@atomic
def folio_wait_begin(folio: Folio, kind: WaitKind) -> bool:
    """Take the lock, or see the folio unlocked, or queue.

    Source: folio_wait_bit_common up to its wait loop, mm/filemap.c, 6.12
    Context: wait-queue lock
    Returns: True if there is nothing to wait for
    Left out: nothing
    """
    if not folio.locked:
        if kind == WaitKind.SHARED:
            return True
        return folio_trylock(folio)
    current.wait_kind = kind
    current.wait_next = None
    current.wait_woken = False
    current.wait_granted = False
    if folio.first_waiter is None:
        folio.first_waiter = current
    else:
        folio.last_waiter.wait_next = current
    folio.last_waiter = current
    return False


@atomic
def folio_leave_queue(folio: Folio):
    """Leave the wait queue without having been woken.

    Source: finish_wait in folio_wait_bit_common, mm/filemap.c, 6.12
    Context: current is queued at folio
    Returns: nothing
    Left out: nothing
    """
    before: Thread = None
    waiter: Thread = folio.first_waiter
    while waiter != current:
        before = waiter
        waiter = waiter.wait_next
    if before is None:
        folio.first_waiter = current.wait_next
    else:
        before.wait_next = current.wait_next
    if folio.last_waiter == current:
        folio.last_waiter = before
    current.wait_next = None
    current.wait_kind = WaitKind.NONE


@atomic
def folio_wait_end(folio: Folio, kind: WaitKind) -> int:
    """What a woken or killed waiter finds.

    Source: wait loop of folio_wait_bit_common, mm/filemap.c, 6.12
    Context: current was woken, or has a fatal signal
    Returns: 1 done (locked, unless kind is SHARED); 0 lost the lock, wait again; -1 killed
    Left out: nothing
    """
    if not current.wait_woken:
        folio_leave_queue(folio)
        return -1
    current.wait_woken = False
    if kind == WaitKind.SHARED:
        return 1
    if current.wait_granted:
        current.wait_granted = False
        folio_lock_acquired(folio)
        return 1
    if folio_trylock(folio):
        return 1
    return 0


def folio_wait_bit_common(folio: Folio, wanted: WaitKind, is_killable: bool) -> bool:
    """Wait for the folio lock, or only until the folio is unlocked.

    Source: folio_wait_bit_common, mm/filemap.c, 6.12
    Context: reference held; sleeps; a fatal signal ends the wait when is_killable
    Returns: True: locked (wanted EXCLUSIVE) or was unlocked (SHARED); False: killed
    Left out: thrashing accounting
    """
    kind = wanted
    unfairness = PAGE_LOCK_UNFAIRNESS
    while True:
        if wanted == WaitKind.EXCLUSIVE:
            unfairness -= 1
            if unfairness < 0:
                kind = WaitKind.HANDOFF  # 3.4.3
        if folio_wait_begin(folio, kind):
            return True
        if is_killable:
            wait(current.wait_woken, killable, on=folio)  # 3.4.4
        else:
            wait(current.wait_woken, on=folio)
        result = folio_wait_end(folio, kind)
        if result != 0:
            return result == 1


@atomic
def may_wait_for_folio():
    """A fault with RETRY_NOWAIT does not sleep on a locked folio.

    Source: none (property S6, weak form)
    Context: before the folio lock is waited for
    Returns: nothing
    Left out: nothing
    """
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        emit("NOWAIT_SLEEP")
        assert NOWAIT_STRICT == 0, "S6 NOWAIT: a RETRY_NOWAIT fault waits for a folio lock"


def __folio_lock(folio: Folio):
    """Wait for the folio lock.

    Source: __folio_lock, mm/filemap.c, 6.12
    Context: reference held; sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    may_wait_for_folio()
    folio_wait_bit_common(folio, WaitKind.EXCLUSIVE, False)


def __folio_lock_killable(folio: Folio) -> bool:
    """Wait for the folio lock unless a fatal signal comes first.

    Source: __folio_lock_killable, mm/filemap.c, 6.12
    Context: reference held; sleeps, killable
    Returns: True if locked (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    may_wait_for_folio()
    return folio_wait_bit_common(folio, WaitKind.EXCLUSIVE, True)


def folio_lock(folio: Folio):
    """Take the folio lock.

    Source: folio_lock, include/linux/pagemap.h, 6.12
    Context: reference held; sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    if not folio_trylock(folio):
        __folio_lock(folio)


def folio_wait_locked_killable(folio: Folio) -> bool:
    """Wait until the folio is unlocked; the lock is not taken.

    Source: folio_wait_locked_killable, include/linux/pagemap.h, 6.12
    Context: reference held; sleeps, killable
    Returns: True if it was unlocked (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    if not folio.locked:
        return True
    return folio_wait_bit_common(folio, WaitKind.SHARED, True)


def folio_put_wait_locked_killable(folio: Folio) -> bool:
    """Drop the reference, then wait until the folio is unlocked.

    Source: folio_put_wait_locked, mm/filemap.c, 6.12 (buffered read)
    Context: reference held by current, dropped; sleeps, killable
    Returns: True if it was unlocked, False for -EINTR
    Left out: nothing
    """
    with atomic:
        if folio_wait_begin(folio, WaitKind.SHARED):
            folio_put(folio)
            return True
        folio_put(folio)  # 3.4.5
    wait(current.wait_woken, killable, on=folio)
    return folio_wait_end(folio, WaitKind.SHARED) == 1

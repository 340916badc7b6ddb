# SPDX-License-Identifier: GPL-2.0-only
"""one-sharer-woken: the end of a read wakes one waiter only.

Must be found as: L1 in fault+read
"""

base = "drop-retry"


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
        return

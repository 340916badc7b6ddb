# SPDX-License-Identifier: GPL-2.0-only
"""last-waiter-stale: a queue still ends at a waiter that was killed.

Must be found as: S18 in fault+fault+kill
"""

base = "drop-retry"


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
    current.wait_next = None
    current.wait_kind = WaitKind.NONE

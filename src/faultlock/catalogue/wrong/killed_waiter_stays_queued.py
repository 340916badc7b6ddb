# SPDX-License-Identifier: GPL-2.0-only
"""killed-waiter-stays-queued: a killed waiter of a folio stays in its queue.

Must be found as: L1 in fault+fault+kill
"""

base = "drop-retry"


@atomic
def folio_wait_end(folio: Folio, kind: WaitKind) -> int:
    """What a woken or killed waiter finds.

    Source: wait loop of folio_wait_bit_common, mm/filemap.c, 6.12
    Context: current was woken, or has a fatal signal
    Returns: 1 done (locked, unless kind is SHARED); 0 lost the lock, wait again; -1 killed
    Left out: nothing
    """
    if not current.wait_woken:
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

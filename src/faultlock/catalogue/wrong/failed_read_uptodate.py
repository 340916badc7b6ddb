# SPDX-License-Identifier: GPL-2.0-only
"""failed-read-uptodate: a read that fails makes the folio uptodate.

Must be found as: S2 in fault+broken-disk
"""

base = "drop-retry"


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
    folio.uptodate = True  # 3.4.6
    folio.locked = False
    emit("LOCK_RELEASED", LOCK_FOLIO, folio, LockMode.WRITE)
    folio_wake_bit(folio)

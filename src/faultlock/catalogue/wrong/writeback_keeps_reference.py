# SPDX-License-Identifier: GPL-2.0-only
"""writeback-keeps-reference: the end of a write keeps a folio reference.

Must be found as: S3 in shared-write+writeback
"""

base = "drop-retry"


@atomic
def folio_end_writeback(folio: Folio):
    """The device has the contents.

    Source: folio_end_writeback, mm/filemap.c, 6.12
    Context: interrupt
    Returns: nothing
    Left out: errors
    """
    folio.writeback = False
    if folio.writeback_waiter is not None:
        folio.writeback_waiter.wait_woken = True
        folio.writeback_waiter = None
    folio.extra_refs -= 1
    pass

# SPDX-License-Identifier: GPL-2.0-only
"""writeback-without-wake: the end of a write wakes nobody.

Must be found as: L1 in writeback+any
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
        folio.writeback_waiter = None
    folio.extra_refs -= 1
    folio_ref_sub(folio, 1)

# SPDX-License-Identifier: GPL-2.0-only
"""truncate-skips-locked: truncate leaves locked folios alone in its second pass, too.

Must be found as: S10 in fault+truncate
"""

base = "drop-retry"


def truncate_pass_two(mapping: Mapping, start: Index, end: Index):
    """Wait for each folio that is left, and remove it; repeat until nothing is left.

    Source: truncate_inode_pages_range, second loop, mm/truncate.c, 6.12
    Context: waits for folio locks (reads in flight) and writeback, uninterruptible
    Returns: nothing
    Left out: batches of 31
    """
    while True:
        folio = find_get_entry(mapping, start, end)
        if folio is None:
            return
        if not folio_trylock(folio):
            folio_put(folio)
            return
        wait_on_writeback(folio)
        truncate_inode_folio(mapping, folio)
        folio_unlock(folio)
        folio_put(folio)

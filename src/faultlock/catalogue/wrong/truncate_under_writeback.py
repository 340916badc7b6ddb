# SPDX-License-Identifier: GPL-2.0-only
"""truncate-under-writeback: truncate does not wait for the write of a folio.

Must be found as: S14 in writeback+any
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
        folio_lock(folio)
        truncate_inode_folio(mapping, folio)
        folio_unlock(folio)
        folio_put(folio)

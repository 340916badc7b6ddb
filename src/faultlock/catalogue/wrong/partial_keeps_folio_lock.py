# SPDX-License-Identifier: GPL-2.0-only
"""partial-keeps-folio-lock: truncate keeps the lock of the page that it cuts.

Must be found as: S4 in fault+truncate-partial
"""

base = "drop-retry"


def truncate_partial_folio(mapping: Mapping, index: Index):
    """Zero the part of the edge page that is cut off; the folio stays.

    Source: truncate_inode_partial_folio, mm/truncate.c, 6.12
    Context: waits for the folio lock, uninterruptible
    Returns: nothing
    Left out: splitting large folios (a large folio over the edge stays whole)
    """
    folio = __filemap_get_folio(mapping, index, FGP_LOCK)
    if folio is None:
        return
    wait_on_writeback(folio)
    cpu("zero_page")
    folio_put(folio)

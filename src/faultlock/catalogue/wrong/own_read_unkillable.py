# SPDX-License-Identifier: GPL-2.0-only
"""own-read-unkillable: the wait for a page that the fault reads itself is not killable.

Must be found as: L3 in random-fault+kill+stuck-disk
"""

base = "drop-retry"


def filemap_read_folio(file: File, folio: Folio) -> errno_t:
    """Read one folio and wait for it.

    Source: filemap_read_folio, mm/filemap.c, 6.12
    Context: folio locked and referenced; afterwards the folio lock is not ours; sleeps, killable
    Returns: 0, -EINTR (killed), -EIO
    Left out: errors of the submission
    """
    cpu("read_folio")
    read_folio(folio)
    __folio_lock(folio)
    folio_unlock(folio)
    if folio.uptodate:
        return 0
    shrink_readahead_size_eio(file)
    return -EIO

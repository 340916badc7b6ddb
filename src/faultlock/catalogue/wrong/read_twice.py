# SPDX-License-Identifier: GPL-2.0-only
"""read-twice: the read of a folio is submitted twice.

Must be found as: S14 in fault+io-error
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
    read_folio(folio)
    if not folio_wait_locked_killable(folio):
        return -EINTR
    if folio.uptodate:
        return 0
    shrink_readahead_size_eio(file)
    return -EIO

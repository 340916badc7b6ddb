# SPDX-License-Identifier: GPL-2.0-only
"""end-of-file-off-by-one: the last page of a file counts as beyond its end.

Must be found as: S12 in fault+kill
"""

base = "drop-retry"


@atomic
def filemap_beyond_eof(mapping: Mapping, index: int) -> bool:
    """Is the page beyond the end of the file?

    Source: DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE) <= index, mm/filemap.c, 6.12
    Context: lockless; decides only under the folio lock
    Returns: True if index >= i_size
    Left out: nothing
    """
    current.eof_seen = index >= mapping.i_size
    if index + 1 >= mapping.i_size:
        return True
    if current.holds_folio_lock is not None:
        current.i_size_seen = max(current.i_size_seen, mapping.i_size)
    return False

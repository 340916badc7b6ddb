# SPDX-License-Identifier: GPL-2.0-only
"""fault-around-no-mapping-check: fault-around does not look whether the folio it locked left the file.

Must be found as: S1 in fault+punch
"""

base = "drop-retry"


@atomic
def filemap_map_lock(mapping: Mapping, folio: Folio, index: int) -> bool:
    """Lock a candidate and look again.

    Source: next_uptodate_folio from its trylock on, mm/filemap.c, 6.12
    Context: RCU; PTL; reference held
    Returns: True: folio locked and fit to be mapped
    Left out: nothing
    """
    if not folio_trylock(folio):
        return False
    if not folio.uptodate or filemap_beyond_eof(mapping, index):
        folio_unlock(folio)
        return False
    return True

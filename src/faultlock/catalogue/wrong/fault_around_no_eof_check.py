# SPDX-License-Identifier: GPL-2.0-only
"""fault-around-no-eof-check: fault-around does not look at the end of the file under the folio lock.

Must be found as: S10 in fault+truncate
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
    if folio.mapping != mapping or not folio.uptodate:
        folio_unlock(folio)
        return False
    return True

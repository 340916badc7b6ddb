# SPDX-License-Identifier: GPL-2.0-only
"""fault-around-not-uptodate: fault-around maps what is cached, uptodate or not.

Must be found as: S2 in fault+io-error
"""

base = "drop-retry"


@atomic
def filemap_map_candidate(mapping: Mapping, index: int) -> Folio:
    """The folio at index with a reference, if it may be mapped without waiting.

    Source: next_uptodate_folio up to its trylock, mm/filemap.c, 6.12
    Context: RCU; PTL
    Returns: the folio, or None
    Left out: nothing
    """
    if not filemap_is_cached(mapping, index):
        return None
    folio = filemap_peek(mapping, index)
    if folio is None or folio.locked:
        return None
    if folio.readahead:
        return None
    folio_get(folio)
    return folio


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
    if folio.mapping != mapping or filemap_beyond_eof(mapping, index):
        folio_unlock(folio)
        return False
    return True

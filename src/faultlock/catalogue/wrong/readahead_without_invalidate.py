# SPDX-License-Identifier: GPL-2.0-only
"""readahead-without-invalidate: readahead adds folios without invalidate_lock.

Must be found as: S11 in fault+fault
"""

base = "drop-retry"


def page_cache_ra_unbounded(mapping: Mapping, index: int, nr_to_read: int, lookahead_size: int):
    """Insert and submit the absent pages of [index, index + nr_to_read); mark one.

    Source: page_cache_ra_unbounded, mm/readahead.c, 6.12
    Context: takes invalidate_lock shared (6.12 here, 7.0 in the callers: same times); sleeps
    Returns: nothing
    Left out: nothing
    """
    emit("READAHEAD_UNBOUNDED", index, nr_to_read, lookahead_size)
    step = 1 << mapping.min_order
    start = index - index % step
    mark = index + nr_to_read - lookahead_size
    mark = (mark + step - 1) // step * step
    if lookahead_size > nr_to_read:
        mark = -1
    end = index + nr_to_read
    batch = start
    position = start
    while position < end:
        if filemap_is_cached(mapping, position):
            read_pages(mapping, batch, position - batch)
            position += step
            batch = position
            continue
        folio = filemap_alloc_folio(position, mapping.min_order, True)
        if folio is None:
            break
        if ra_insert(mapping, folio, position, position == mark):
            position += step
        else:
            read_pages(mapping, batch, position - batch)
            position += step
            batch = position
    read_pages(mapping, batch, position - batch)

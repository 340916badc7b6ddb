# SPDX-License-Identifier: GPL-2.0-only
"""Which window to read: the arithmetic of readahead (mm/readahead.c; spec 7.4).

# Model: the arithmetic on file_ra_state is one step per window.  The state is still shared and
# unlocked: between the computation and the submission others overwrite it, as in the kernel.
"""


@atomic
def roundup_pow_of_two(n: int) -> int:
    """Smallest power of two that is not below n.

    Source: include/linux/log2.h, 6.12
    Context: any
    Returns: the power
    Left out: nothing
    """
    power = 1
    while power < n:
        power = power * 2
    return power


@atomic
def ilog2(n: int) -> int:
    """Number of the highest bit that is set in n (n > 0).

    Source: include/linux/log2.h, 6.12
    Context: any
    Returns: 0 for 1
    Left out: nothing
    """
    bit = 0
    while (n >> (bit + 1)) > 0:
        bit += 1
    return bit


@atomic
def lowest_bit(n: int) -> int:
    """Number of the lowest bit that is set in n (n > 0).

    Source: __ffs, include/asm-generic/bitops/__ffs.h, 6.12
    Context: any
    Returns: 0 when n is odd
    Left out: nothing
    """
    bit = 0
    while ((n >> bit) & 1) == 0:
        bit += 1
    return bit


@atomic
def get_init_ra_size(size: int, max_pages: int) -> int:
    """Size of the first window of a stream.

    Source: get_init_ra_size, mm/readahead.c, 6.12
    Context: any
    Returns: pages
    Left out: nothing
    """
    newsize = roundup_pow_of_two(size)
    if newsize <= max_pages // 32:
        return newsize * 4
    if newsize <= max_pages // 4:
        return newsize * 2
    return max_pages


@atomic
def get_next_ra_size(cur: int, max_pages: int) -> int:
    """Size of the window after one of size cur.

    Source: get_next_ra_size, mm/readahead.c, 6.12
    Context: any
    Returns: pages
    Left out: nothing
    """
    if cur < max_pages // 16:
        return 4 * cur
    if cur <= max_pages // 2:
        return 2 * cur
    return max_pages


@atomic
def ra_set_window(file: File, start: int, size: int, async_size: int):
    """Store a window, clipped to what the model can represent.

    Source: none (assignments to file_ra_state)
    Context: unlocked
    Returns: nothing
    Left out: nothing
    """
    file.ra_start = start
    file.ra_size = min(size, MAX_WINDOW_PAGES)
    file.ra_async_size = min(async_size, MAX_WINDOW_PAGES)


@atomic
def ractl_max_pages(file: File, req_size: int) -> int:
    """Longest window: ra_pages, or the device's optimal request when more is asked for.

    Source: ractl_max_pages, mm/readahead.c, 6.12
    Context: unlocked
    Returns: pages
    Left out: nothing
    """
    max_pages: int = file.ra_pages
    if req_size > max_pages and IO_PAGES > max_pages:
        max_pages = min(req_size, IO_PAGES)
    return max_pages


@atomic
def ra_sync_window(file: File, index: int, req_count: int, max_pages: int) -> bool:
    """Compute the window for a miss (spec 7.4, page_cache_sync_ra).

    Source: page_cache_sync_ra, mm/readahead.c, 6.12
    Context: unlocked
    Returns: True: a window was stored; False: read just req_count pages
    Left out: nothing
    """
    after_previous = file.prev_read > 0 and (index + 1 == file.prev_read or index == file.prev_read)
    if index == 0 or req_count > max_pages or after_previous:
        size = get_init_ra_size(req_count, max_pages)
        async_size = size - req_count
        if size <= req_count:
            async_size = size // 2
        ra_set_window(file, index, size, async_size)
        file.ra_order = 0
        return True
    miss = page_cache_prev_miss(file.f_mapping, index - 1, max_pages)
    contig_count = index - miss - 1
    if contig_count <= req_count:
        return False
    if miss == -1:
        contig_count = contig_count * 2
    ra_set_window(file, index, min(contig_count + req_count, max_pages), 1)
    file.ra_order = 0
    return True


@atomic
def ra_async_window(file: File, index: int, folio: Folio, req_count: int) -> bool:
    """Compute the window that follows when the marked folio is used (spec 7.4).

    Source: page_cache_async_ra, mm/readahead.c, 6.12; 7.0
    Context: unlocked
    Returns: True: a window was stored; False: nothing to read
    Left out: nothing
    """
    max_pages = ractl_max_pages(file, req_count)
    nr = 1 << folio.order
    expected = file.ra_start + file.ra_size - file.ra_async_size
    expected -= expected % nr
    start = file.ra_start + file.ra_size
    size = max(file.ra_size, get_next_ra_size(file.ra_size, max_pages))
    if index != expected:
        start = page_cache_next_miss(file.f_mapping, index + 1, max_pages)
        if start - index > max_pages:
            return False
        size = get_next_ra_size(start - index + req_count, max_pages)
    if KERNEL_VERSION >= 617:
        file.ra_order = file.ra_order + 2
        align = 1 << min(file.ra_order, lowest_bit(max_pages))
        aligned_end = (start + size) // align * align
        if aligned_end > start:
            size = aligned_end - start
    else:
        file.ra_order = folio.order
    ra_set_window(file, start, size, size)
    return True

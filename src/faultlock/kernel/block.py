# SPDX-License-Identifier: GPL-2.0-only
"""Reads: submission to the device (or to a server such as a FUSE daemon) and completion.

A request covers a run of pages of one file and completes as a whole.  From submission to
completion the folios are locked and nobody owns the lock.
"""


@atomic
def blk_get_request(mapping: Mapping, index: int, nr: int) -> Request:
    """Make a request for locked folios that are in the cache, and hand their locks to it.

    Source: submit_bio, blk_mq_get_tag, block/blk-mq-tag.c, 6.12
    Context: any; the folios of [index, index + nr) are locked by current
    Returns: the request; None: none is free, current waits in block_queue
    Left out: plugging, merging, I/O scheduler, cgroup throttling
    """
    request = alloc(Request)
    if request is None:
        current.wait_next = None
        current.wait_woken = False
        if block_queue.first_waiter is None:
            block_queue.first_waiter = current
        else:
            block_queue.last_waiter.wait_next = current
        block_queue.last_waiter = current
        return None
    request.mapping = mapping
    request.index = index
    request.nr = nr
    position = index
    while position < index + nr:
        folio = mapping.pages[position]
        folio_lock_to_io(folio)
        position += 1 << folio.order
    request.in_flight = True
    if mapping.served:
        fuse_request_queued(request)
    else:
        emit("IO_SUBMIT", request, index, nr)
    return request


@atomic
def whole_folios(mapping: Mapping, index: int, most: int) -> int:
    """How many of the next `most` pages end with a folio: a request never ends inside of one.

    Source: bio_add_folio, block/bio.c, 6.12
    Context: the folios are locked by current
    Returns: pages, at least one folio
    Left out: nothing
    """
    pages = 1 << mapping.pages[index].order
    while pages < most:
        nr = 1 << mapping.pages[index + pages].order
        if pages + nr > most:
            return pages
        pages += nr
    return pages


def submit_bio(mapping: Mapping, index: int, nr: int):
    """Submit a read of [index, index + nr), in requests of at most MAX_BIO_PAGES.

    Source: submit_bio, block/blk-core.c, 6.12
    Context: sleeps, uninterruptible, while all requests are in use; folios locked by current
    Returns: nothing
    Left out: mapping blocks through file system metadata, which may read and wait
    """
    position = index
    while position < index + nr:
        part = whole_folios(mapping, position, min(nr - (position - index), MAX_BIO_PAGES))
        cpu("submit_bio")
        cpu("bio_add_page", part)
        request = blk_get_request(mapping, position, part)
        if request is None:
            wait(current.wait_woken, on=mapping)
            current.wait_woken = False
        else:
            position += part


@atomic
def zero_holes(mapping: Mapping, index: int, nr: int):
    """Pages of a hole were filled with zeros: valid, and unlocked by the thread that locked them.

    Source: ext4_mpage_readpages (fully_mapped hole), fs/ext4/readpage.c, 6.12
    Context: folios of [index, index + nr) locked by current
    Returns: nothing
    Left out: each folio is unlocked as soon as it is full
    """
    position = index
    while position < index + nr:
        folio = mapping.pages[position]
        position += 1 << folio.order
        folio.uptodate = True
        folio_unlock(folio)


def mpage_readahead(mapping: Mapping, index: int, nr: int):
    """Read a run of locked folios: from the device, or nothing but zeros if the file is sparse.

    Source: ext4_mpage_readpages, fs/ext4/readpage.c, 6.12
    Context: sleeps; folios of [index, index + nr) locked by current
    Returns: nothing; of holes the read is complete
    Left out: files with holes and data
    """
    if mapping.sparse:
        cpu("read_hole", nr_folios(mapping, index, nr))
        cpu("zero_hole", nr)
        zero_holes(mapping, index, nr)
        return
    submit_bio(mapping, index, nr)


@atomic
def bio_endio(request: Request, failed: bool):
    """A read is complete: unlock its folios, free the request, wake who waits for one.

    Source: bio_endio, mpage_read_end_io, iomap_finish_folio_read, 6.12
    Context: interrupt
    Returns: nothing
    Left out: a request of which only a part failed
    """
    mapping = request.mapping
    position = request.index
    end = request.index + request.nr
    emit("IO_DONE", request, position, request.nr)
    while position < end:
        folio = mapping.pages[position]
        position += 1 << folio.order
        folio_end_read(folio, not failed)
    free(request)
    waiter = block_queue.first_waiter
    if waiter is not None:
        block_queue.first_waiter = waiter.wait_next
        if block_queue.first_waiter is None:
            block_queue.last_waiter = None
        waiter.wait_next = None
        waiter.wait_woken = True


def blk_done():
    """The interrupt: complete requests in any order, for ever.  Run it as a daemon thread.

    Source: blk_mq_complete_request, block/blk-mq.c, 6.12
    Context: interrupt; needs no lock of the fault path
    Returns: never
    Left out: nothing
    """
    while True:
        request: Request = choose(1, N_REQUESTS + 1, "io_completion", where=request.in_flight and not request.mapping.served)
        failed = 0
        if IO_ERRORS == 1:
            failed = choose(0, 2, "io_error")
        cpu("io_completion")
        cpu("folio_end_read", request.nr)
        bio_endio(request, failed == 1)


def read_folio(folio: Folio):
    """Read one folio: the file system's ->read_folio.

    Source: mpage_read_folio, iomap_read_folio, 6.12
    Context: folio locked by current; the read owns the lock afterwards
    Returns: nothing (the kernel: 0)
    Left out: submission errors, AOP_TRUNCATED_PAGE
    """
    create_empty_buffers(folio)
    mpage_readahead(folio.mapping, folio.index, 1 << folio.order)

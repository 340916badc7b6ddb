# SPDX-License-Identifier: GPL-2.0-only
"""A file system in user space: reads are answered by a server thread (fs/fuse/dev.c; spec D8, D9).

The server is an ordinary thread of some process, possibly of the one that faults.  What it
does between taking a request and answering it is up to the scenario: mmap, a fault, reading
/proc of the client ...
"""


@atomic
def fuse_next_request(mapping: Mapping) -> Request:
    """The oldest request that no server has taken.

    Source: fuse_dev_do_read, fs/fuse/dev.c, 6.12
    Context: fiq->lock
    Returns: the request, now the server's; None: none waits
    Left out: interrupts, forgets, the order among several (lowest number first)
    """
    for request in each(Request):
        if request.in_flight and request.mapping == mapping and request.fuse_server is None:
            request.fuse_server = current
            return request
    return None


@atomic
def fuse_request_queued(request: Request):
    """A request was queued: wake a server that waits for one; without a connection it fails.

    Source: queue_request_and_unlock, fuse_get_req, fs/fuse/dev.c, 6.12
    Context: fiq->lock
    Returns: nothing
    Left out: nothing
    """
    mapping = request.mapping
    fuse_wake_server(mapping)
    if mapping.fuse_aborted:
        bio_endio(request, True)


@atomic
def fuse_wake_server(mapping: Mapping):
    """Wake the server thread that has slept longest in fuse_dev_read.

    Source: wake_up(&fiq->waitq), fs/fuse/dev.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    server = mapping.fuse_waiter
    if server is not None:
        mapping.fuse_waiter = server.wait_next
        server.wait_next = None
        server.wait_woken = True


@atomic
def fuse_wait_begin(mapping: Mapping) -> bool:
    """Go to sleep for a request unless there is one, or the connection is gone.

    Source: wait_event_interruptible_exclusive in fuse_dev_do_read, fs/fuse/dev.c, 6.12
    Context: fiq->lock
    Returns: True if the server sleeps now
    Left out: nothing
    """
    if mapping.fuse_aborted:
        return False
    for request in each(Request):
        if request.in_flight and request.mapping == mapping and request.fuse_server is None:
            return False
    current.wait_woken = False
    current.wait_next = None
    last = mapping.fuse_waiter
    if last is None:
        mapping.fuse_waiter = current
    else:
        while last.wait_next is not None:
            last = last.wait_next
        last.wait_next = current
    return True


def fuse_dev_read(mapping: Mapping) -> Request:
    """read(2) on /dev/fuse: take the next request.

    Source: fuse_dev_do_read, fs/fuse/dev.c, 6.12
    Context: nothing held; sleeps, killable (a signal ends it)
    Returns: the request; None: killed, or the connection is gone
    Left out: copying the request to user memory, which may fault
    """
    while True:
        request = fuse_next_request(mapping)
        if request is not None:
            cpu("fuse_dev_read")
            return request
        if not fuse_wait_begin(mapping):
            if mapping.fuse_aborted:
                return None
            continue
        wait(current.wait_woken, killable, on=mapping)
        if fuse_wait_end(mapping):
            return None


@atomic
def fuse_wait_end(mapping: Mapping) -> bool:
    """Stop waiting for a request.

    Source: finish_wait in fuse_dev_do_read, fs/fuse/dev.c, 6.12
    Context: any
    Returns: True if a fatal signal ended the wait
    Left out: nothing
    """
    before = mapping.fuse_waiter
    if before == current:
        mapping.fuse_waiter = current.wait_next
    else:
        while before is not None:
            if before.wait_next == current:
                before.wait_next = current.wait_next
            before = before.wait_next
    current.wait_next = None
    current.wait_woken = False
    return current.fatal_signal_pending


def fuse_dev_write(request: Request, failed: bool):
    """write(2) on /dev/fuse: answer a request; its folios are unlocked.

    Source: fuse_dev_do_write, fuse_request_end, fs/fuse/dev.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: copying the answer from user memory, which may fault
    """
    cpu("fuse_dev_write")
    with atomic:
        # The connection may have been aborted meanwhile: the request is gone then.
        if request.in_flight and request.fuse_server == current:
            request.fuse_server = None
            bio_endio(request, failed)


@atomic
def fuse_abort_conn(mapping: Mapping):
    """End the connection: every request fails, now and later.

    Source: fuse_abort_conn, fs/fuse/dev.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    mapping.fuse_aborted = True
    for request in each(Request):
        if request.in_flight and request.mapping == mapping:
            request.fuse_server = None
            bio_endio(request, True)
    fuse_wake_server(mapping)


@atomic
def is_last_server(mapping: Mapping) -> bool:
    """Does no other thread have the device open?

    Source: fuse_dev_release (dev_count), fs/fuse/dev.c, 6.12
    Context: current has just closed it
    Returns: True if so
    Left out: nothing
    """
    for thread in each(Thread):
        if thread.serves == mapping:
            return False
    return True

# SPDX-License-Identifier: GPL-2.0-only
"""The contended workload of sim_vs_simpy.py in the model language: threads compute, take one
FIFO mutex, compute under it, read from a device half of the time, and sleep."""

N_THREADS: Param = 64
N_REQUESTS: Param = 64


class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    wait_next: Thread
    granted: bool
    done: bool


class shared(Struct, count=1):
    mutex: Own[Mutex]


class Mutex(Struct):
    owner: Thread
    first_waiter: Thread
    last_waiter: Thread


class Request(Struct, count=N_REQUESTS):
    thread: Thread
    in_flight: bool


class machine(Struct, count=1):
    stop: bool


@atomic
def mutex_lock_or_queue(mutex: Mutex) -> bool:
    """Take the free mutex, or join the queue."""
    if mutex.owner is None:
        mutex.owner = current
        return True
    current.granted = False
    current.wait_next = None
    if mutex.first_waiter is None:
        mutex.first_waiter = current
    else:
        mutex.last_waiter.wait_next = current
    mutex.last_waiter = current
    return False


@atomic
def mutex_unlock(mutex: Mutex):
    """Hand the mutex to the first waiter."""
    waiter = mutex.first_waiter
    mutex.owner = waiter
    if waiter is not None:
        mutex.first_waiter = waiter.wait_next
        waiter.granted = True


@atomic
def submit_read(request: Request):
    """Give a request to the device."""
    request.thread = current
    request.in_flight = True
    current.done = False
    emit("IO_SUBMIT", request, 0, 1)


@role
def worker():
    """One thread of the workload."""
    while not machine.stop:
        emit("OP_BEGIN", 0)
        cpu("compute")
        if not mutex_lock_or_queue(shared.mutex):
            wait(current.granted, on=shared.mutex)
        cpu("critical")
        mutex_unlock(shared.mutex)
        read = choose(0, 2, "read")
        if read == 1:
            request: Request = alloc(Request)
            submit_read(request)
            wait(current.done)
        emit("OP_END", 0)
        sleep(100)


@role
def interrupt():
    """The device's interrupt handler."""
    while True:
        request: Request = choose(1, N_REQUESTS + 1, "io_completion", where=request.in_flight)
        cpu("complete")
        request.in_flight = False
        with atomic:
            request.thread.done = True
        free(request)

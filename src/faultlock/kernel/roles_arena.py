# SPDX-License-Identifier: GPL-2.0-only
"""The C library's heaps of a process, and their locks (glibc 2.36, malloc/arena.c).

Each of the first threads makes a heap of its own (arena), the others share; a fork locks all of them.
What a heap is used for is in roles_malloc.py.
"""

N_HEAPS: Param = 1  # of all processes
LOCK_MALLOC = 7  # what a lock event is about (see constants.py)
HEAP_PAGES_FIRST = 33  # HEAP_MIN_SIZE + M_TOP_PAD
ARENA_TEST = 8  # mp_.arena_test: so many heaps may there be before anybody asks how many CPUs there are
HEAP_PAGES_MAX: Param = 1  # Model: shorter than the real 16,384


class Futex(Struct, count=N_HEAPS + N_MMS):
    """A lock of the C library (lll_lock) and who waits for it in the kernel."""

    is_locked: bool
    first_waiter: Thread
    last_waiter: Thread


class Heap(Struct, count=N_HEAPS):
    """struct malloc_state and its memory."""

    start: Const[Address]
    is_main: Const[bool]
    mutex: Const[Futex]
    made_next: Const[Heap]  # the arena that is made after this one
    next: Heap  # in the ring of all heaps
    pages: int  # that may be written
    tcaches: int  # of threads that use it
    top: int  # chunks below the top chunk
    is_free: Array[HEAP_CHUNKS, bool]  # of those


class Malloc(Struct, count=N_MMS):
    """The C library's heaps of one process: the main one, and arenas, each made for one thread."""

    arena_count: Const[int]  # at most
    main_heap: Const[Heap]  # None: the process keeps nothing
    list_lock: Const[Futex]
    narenas: int  # made so far, the main heap not counted
    limit_known: bool  # narenas_limit
    to_make: Heap  # the arena that is made next; None: there are as many as may be
    next_to_use: Heap  # by the next thread then


# ---- locks ----------------------------------------------------------------------------------------------


@atomic
def lll_trylock(futex: Futex) -> bool:
    """Take a lock if it is free.

    Source: lll_trylock, glibc 2.36
    Context: user mode
    Returns: True if taken
    Left out: nothing
    """
    if futex.is_locked:
        return False
    futex.is_locked = True
    return True


@atomic
def futex_wait_begin(futex: Futex) -> bool:
    """Queue for a lock, unless it became free.

    Source: futex_wait_setup, kernel/futex/waitwake.c, 6.12
    Context: futex hash bucket
    Returns: True: wait for wait_woken
    Left out: nothing
    """
    if not futex.is_locked:
        return False
    current.wait_next = None
    current.wait_woken = False
    if futex.first_waiter is None:
        futex.first_waiter = current
    else:
        futex.last_waiter.wait_next = current
    futex.last_waiter = current
    return True


@atomic
def futex_wake(futex: Futex) -> bool:
    """Free a lock and wake who waits longest; somebody else may be faster than it.

    Source: lll_unlock, glibc 2.36; futex_wake, kernel/futex/waitwake.c, 6.12
    Context: user mode
    Returns: True if somebody was woken
    Left out: nothing
    """
    futex.is_locked = False
    emit("LOCK_RELEASED", LOCK_MALLOC, futex, LockMode.WRITE)
    waiter = futex.first_waiter
    if waiter is None:
        return False
    futex.first_waiter = waiter.wait_next
    waiter.wait_next = None
    waiter.wait_woken = True
    return True


def lll_lock(futex: Futex):
    """Take a lock.

    Source: lll_lock, __lll_lock_wait_private, glibc 2.36
    Context: user mode; sleeps
    Returns: nothing
    Left out: nothing
    """
    while not lll_trylock(futex):
        cpu("system_call")
        if futex_wait_begin(futex):
            wait(current.wait_woken, on=futex)


@atomic
def lll_locked(futex: Futex):
    """Record that the current thread holds a lock, at the line of who took it.

    Source: none (a lock event)
    Context: lock held
    Returns: nothing
    Left out: nothing
    """
    emit("LOCK_ACQUIRED", LOCK_MALLOC, futex, LockMode.WRITE)


def lll_unlock(futex: Futex):
    """Release a lock.

    Source: lll_unlock, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if futex_wake(futex):
        cpu("system_call")


# ---- which heap -----------------------------------------------------------------------------------------


@atomic
def must_count_cpus(malloc: Malloc) -> bool:
    """Are there so many heaps that the limit matters, which nobody has asked for yet?

    Source: arena_get2 (narenas > mp_.arena_test), malloc/arena.c, glibc 2.36
    Context: user mode
    Returns: True if so
    Left out: nothing
    """
    return not malloc.limit_known and malloc.narenas >= ARENA_TEST


@atomic
def may_make_arena(malloc: Malloc) -> Heap:
    """Count one arena more, while there are fewer than the limit.

    Source: arena_get2, malloc/arena.c, glibc 2.36
    Context: user mode
    Returns: the heap to be made, or None
    Left out: nothing
    """
    heap = malloc.to_make
    if heap is not None:
        malloc.to_make = heap.made_next
        malloc.narenas += 1
    return heap


@atomic
def link_arena(malloc: Malloc, heap: Heap):
    """Put a new arena into the ring, behind the main heap.

    Source: _int_new_arena, malloc/arena.c, glibc 2.36
    Context: user mode; list_lock
    Returns: nothing
    Left out: nothing
    """
    heap.next = malloc.main_heap.next
    malloc.main_heap.next = heap


def int_new_arena(malloc: Malloc, heap: Heap):
    """Make an arena: reserve address space, allow writes to its first 132 KiB.

    Source: _int_new_arena, alloc_new_heap, malloc/arena.c, glibc 2.36
    Context: user mode; the calls take mmap_lock for write
    Returns: nothing; the heap is locked
    Left out: every second one needs no munmap
    """
    start = heap.start
    vm_mmap_pgoff(None, start, 2 * HEAP_PAGES_MAX, 0, VM_MAYWRITE, False)
    __vm_munmap(start + HEAP_PAGES_MAX, start + 2 * HEAP_PAGES_MAX)
    do_mprotect(start, start + HEAP_PAGES_FIRST, VM_READ | VM_WRITE)
    heap.pages = HEAP_PAGES_FIRST
    user_write(start, 0)
    lll_lock(malloc.list_lock)
    lll_locked(malloc.list_lock)
    link_arena(malloc, heap)
    lll_unlock(malloc.list_lock)
    lll_lock(heap.mutex)
    lll_locked(heap.mutex)


@atomic
def reused_arena(malloc: Malloc) -> Heap:
    """The heap whose turn it is, or the next one that nobody has locked.

    Source: reused_arena, malloc/arena.c, glibc 2.36
    Context: user mode
    Returns: the heap
    Left out: nothing
    """
    if malloc.next_to_use is None:
        malloc.next_to_use = malloc.main_heap
    heap = malloc.next_to_use
    while heap.mutex.is_locked:
        heap = heap.next
        if heap == malloc.next_to_use:
            break
    return heap


def arena_get(task: Task, malloc: Malloc):
    """The C library chooses the heap of a thread that allocates for the first time, and locks it.

    With more than ARENA_TEST heaps it asks how many there may be: it counts the CPUs, which needs the second
    page of the stack.  Who finds that page write-protected by a fork waits there until the fork is over.
    Source: arena_get2, reused_arena, malloc/arena.c, get_nprocs, glibc 2.36; faults traced in a guest
    Context: user mode
    Returns: nothing
    Left out: free_list: no thread ends before the others
    """
    if must_count_cpus(malloc):
        user_stack_deep(task)
        malloc.limit_known = True
    heap = may_make_arena(malloc)
    if heap is not None:
        int_new_arena(malloc, heap)
    else:
        heap = reused_arena(malloc)
        lll_lock(heap.mutex)
        lll_locked(heap.mutex)
        following: Heap = heap.next
        malloc.next_to_use = following
    task.heap = heap

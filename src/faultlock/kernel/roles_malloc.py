# SPDX-License-Identifier: GPL-2.0-only
"""The C library's heaps, as far as the kernel notices them (glibc 2.36, malloc/malloc.c, arena.c).

A thread keeps its results in a vector that doubles: 4,096 results in one chunk of its heap, 8,192
in a chunk of two, from then on in a mapping of their own.  A heap (arena) has a lock; it grows by
mprotect, the main one by brk, so a program that only calls malloc takes mmap_lock for write, and
while it waits there all threads of that heap wait with it.
"""

N_HEAPS: Param = 1  # of all processes
HEAP_CHUNKS: Param = 1  # most chunks in a heap; one holds 4,096 results
AREA_PAGES: Param = 1  # most pages of results in a mapping of their own; the simulator's are 1,024
HEAP_CHUNK_RESULTS = 4096
HEAP_CHUNK_BYTES = 32784  # with its size field, to 16 bytes
HEAP_HEADER_BYTES = 2896  # heap_info, malloc_state, tcache_perthread_struct
HEAP_MIN_CHUNK_BYTES = 32  # MINSIZE: what stays at the top
HEAP_TOP_PAD_PAGES = 32  # M_TOP_PAD, 128 KiB: brk asks for so much more
MMAP_THRESHOLD_RESULTS = 8192  # whose vector of 16,384 reaches M_MMAP_THRESHOLD, 128 KiB
RESULTS_PER_PAGE = 512
LOCK_MALLOC = 7  # what a lock event is about (see constants.py)
HEAP_PAGES_FIRST = 33  # HEAP_MIN_SIZE + M_TOP_PAD
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
    top: int  # chunks below the top chunk
    is_free: Array[HEAP_CHUNKS, bool]  # of those


class Malloc(Struct, count=N_MMS):
    """The C library's heaps of one process: the main one, and arenas, each made for one thread."""

    arena_count: Const[int]  # at most
    main_heap: Const[Heap]  # None: the process keeps nothing
    list_lock: Const[Futex]
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

    As long as it does not know how many there may be, it counts the CPUs, which needs the second page of
    the stack: who finds that page write-protected by a fork waits there until the fork is over.
    Source: arena_get2, reused_arena, malloc/arena.c, get_nprocs, glibc 2.36; faults traced in a guest
    Context: user mode
    Returns: nothing
    Left out: free_list: no thread ends before the others
    """
    if not malloc.limit_known:
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
    task.heap_position = TLB_MAIN_HEAP_POSITION if heap.is_main else 0


# ---- chunks ---------------------------------------------------------------------------------------------


@atomic
def best_fit(heap: Heap, count: int) -> int:
    """Where a chunk goes: the smallest free place that is large enough, or the top.

    Source: _int_malloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: number of its first chunk of 4,096 results
    Left out: the thread's own cache of chunks (tcache): these are too large for it
    """
    best = heap.top
    best_length = HEAP_CHUNKS + 1
    length = 0
    for i in range(0, heap.top):
        if heap.is_free[i]:
            length += 1
        else:
            if length >= count and length < best_length:
                best = i - length
                best_length = length
            length = 0
    return best


@atomic
def chunk_take(heap: Heap, chunk: int, count: int):
    """Use a chunk.

    Source: _int_malloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: nothing
    Left out: nothing
    """
    for i in range(chunk, chunk + count):
        heap.is_free[i] = False
    heap.top = max(heap.top, chunk + count)


@atomic
def chunk_free(heap: Heap, chunk: int, count: int):
    """Give a chunk back; what lies free below the top chunk becomes part of it.

    Source: _int_free, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: nothing
    Left out: heap_trim, systrim: a top chunk of 128 KiB or more gives memory back
    """
    for i in range(chunk, chunk + count):
        heap.is_free[i] = True
    while heap.top > 0 and heap.is_free[heap.top - 1]:
        heap.top -= 1


@atomic
def chunk_page(chunk: int, results: int) -> int:
    """The page of the heap in which a result of a chunk lies.

    Source: none (the workload)
    Context: user mode
    Returns: pages from the heap's start
    Left out: nothing
    """
    return (HEAP_HEADER_BYTES + chunk * HEAP_CHUNK_BYTES + results * 8) // 4096


def sysmalloc(heap: Heap, pages: int):
    """Make a heap larger: the main one by brk, others by mprotect of what they have reserved.

    Source: sysmalloc, grow_heap, malloc/malloc.c, malloc/arena.c, glibc 2.36
    Context: user mode; heap locked; the calls take mmap_lock for write
    Returns: nothing
    Left out: a further heap when 64 MiB are full
    """
    end = heap.start + heap.pages
    if heap.is_main:
        sys_brk(end, heap.start + pages + HEAP_TOP_PAD_PAGES)
        heap.pages = pages + HEAP_TOP_PAD_PAGES
    else:
        do_mprotect(end, heap.start + pages, VM_READ | VM_WRITE)
        heap.pages = pages


def int_malloc(heap: Heap, count: int) -> int:
    """A chunk for count times 4,096 results.

    Source: _int_malloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: its number
    Left out: nothing
    """
    chunk = best_fit(heap, count)
    bytes_needed = HEAP_HEADER_BYTES + (chunk + count) * HEAP_CHUNK_BYTES + HEAP_MIN_CHUNK_BYTES
    pages = (bytes_needed + 4095) // 4096
    if pages > heap.pages:
        sysmalloc(heap, pages)
    chunk_take(heap, chunk, count)
    behind = chunk_page(chunk + count, 0)
    user_write(heap.start + behind, behind)  # the size of what follows
    return chunk


@atomic
def grows_in_place(heap: Heap, chunk: int) -> bool:
    """Has a chunk room behind it for as much again, without asking the kernel?

    Source: _int_realloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: True if it was taken
    Left out: nothing
    """
    end = HEAP_HEADER_BYTES + (chunk + 2) * HEAP_CHUNK_BYTES + HEAP_MIN_CHUNK_BYTES
    fits = chunk + 1 == heap.top and end <= heap.pages * 4096
    if chunk + 1 < heap.top:
        fits = heap.is_free[chunk + 1]
    if fits:
        chunk_take(heap, chunk, 2)
    return fits


def realloc_in_heap(task: Task, heap: Heap):
    """4,096 results become 8,192: in place, or copied to a larger chunk.

    Source: _int_realloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: nothing
    Left out: the CPU time of the copy
    """
    old = task.chunk
    if not grows_in_place(heap, old):
        new = int_malloc(heap, 2)
        task.chunk = new
        first = chunk_page(new, 0)
        last = chunk_page(new, HEAP_CHUNK_RESULTS - 1)
        copy_results(heap.start + first, heap.start + last)
        chunk_free(heap, old, 1)


def copy_results(first: Address, last: Address):
    """Results are copied to other pages: each of them is written.

    Source: memcpy, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: the CPU time of the copy
    """
    for page in range(first, last + 1):
        touch(page, True, True)


def user_heap_grow(task: Task, results: int):
    """The vector of results is full: malloc or realloc.

    Source: __libc_realloc, malloc/malloc.c, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if results == 0:
        arena_get(task, task.malloc)
        heap: Heap = task.heap
        chunk = int_malloc(heap, 1)
        task.chunk = chunk
        lll_unlock(heap.mutex)
    elif results < MMAP_THRESHOLD_RESULTS:
        heap: Heap = task.heap
        lll_lock(heap.mutex)
        lll_locked(heap.mutex)
        realloc_in_heap(task, heap)
        lll_unlock(heap.mutex)
    elif results & (results - 1) == 0:
        user_area_grow(task, results)


def user_area_grow(task: Task, results: int):
    """Results move to a mapping of their own, or it grows.

    Source: sysmalloc_mmap, mremap_chunk, malloc/malloc.c, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: growth beyond AREA_PAGES
    """
    pages = results // RESULTS_PER_PAGE
    area = task.area
    if results == MMAP_THRESHOLD_RESULTS:
        heap: Heap = task.heap
        chunk = task.chunk
        lll_lock(heap.mutex)
        lll_locked(heap.mutex)
        area = vm_mmap_pgoff(None, MAP_ANYWHERE, 2 * pages + 1, 0, VM_READ | VM_WRITE | VM_MAYWRITE, False)
        copy_results(area, area + pages - 1)
        chunk_free(heap, chunk, 2)
        lll_unlock(heap.mutex)
    elif 2 * pages <= AREA_PAGES:
        area = sys_mremap(area, pages + 1, 2 * pages + 1, True)
    task.area = area

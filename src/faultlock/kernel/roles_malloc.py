# SPDX-License-Identifier: GPL-2.0-only
"""What threads keep in the C library's heaps (glibc 2.36, malloc/malloc.c); the heaps: roles_arena.py.

A thread keeps its results in a vector that doubles: 4,096 results in one chunk of its heap, 8,192
in a chunk of two, from then on in a mapping of their own.  A heap (arena) has a lock; it grows by
mprotect, the main one by brk, so a program that only calls malloc takes mmap_lock for write, and
while it waits there all threads of that heap wait with it.
"""

HEAP_CHUNKS: Param = 1  # most chunks in a heap; one holds 4,096 results
AREA_PAGES: Param = 1  # most pages of results in a mapping of their own; the simulator's are 1,024
HEAP_CHUNK_RESULTS = 4096
HEAP_CHUNK_BYTES = 32784  # with its size field, to 16 bytes
HEAP_HEADER_BYTES = 2240  # heap_info, malloc_state
TCACHE_BYTES = 656  # tcache_perthread_struct: each thread that comes to a heap takes one from it first
HEAP_MIN_CHUNK_BYTES = 32  # MINSIZE: what stays at the top
HEAP_TOP_PAD_PAGES = 32  # M_TOP_PAD, 128 KiB: brk asks for so much more
MMAP_THRESHOLD_RESULTS = 8192  # whose vector of 16,384 reaches M_MMAP_THRESHOLD, 128 KiB
RESULTS_PER_PAGE = 512


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
def chunk_page(tcaches: int, chunk: int, results: int) -> int:
    """The page of the heap in which a result of a chunk lies, behind so many tcaches.

    Source: none (the workload)
    Context: user mode
    Returns: pages from the heap's start
    Left out: nothing
    """
    return (HEAP_HEADER_BYTES + tcaches * TCACHE_BYTES + chunk * HEAP_CHUNK_BYTES + results * 8) // 4096


@atomic
def heap_position(heap: Heap, page: int) -> int:
    """Where a heap's page lies, as far as it matters to the TLB: arenas begin at multiples of 64 MiB.

    Source: none (the workload)
    Context: user mode
    Returns: pages
    Left out: nothing
    """
    return TLB_MAIN_HEAP_POSITION + page if heap.is_main else page


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
    tcaches = heap.tcaches
    bytes_needed = HEAP_HEADER_BYTES + tcaches * TCACHE_BYTES + (chunk + count) * HEAP_CHUNK_BYTES
    pages = (bytes_needed + HEAP_MIN_CHUNK_BYTES + 4095) // 4096
    if pages > heap.pages:
        sysmalloc(heap, pages)
    chunk_take(heap, chunk, count)
    behind = chunk_page(tcaches, chunk + count, 0)
    position = heap_position(heap, behind)
    user_write(heap.start + behind, position)  # the size of what follows
    return chunk


@atomic
def grows_in_place(heap: Heap, chunk: int) -> bool:
    """Has a chunk room behind it for as much again, without asking the kernel?

    Source: _int_realloc, malloc/malloc.c, glibc 2.36
    Context: user mode; heap locked
    Returns: True if it was taken
    Left out: nothing
    """
    end = HEAP_HEADER_BYTES + heap.tcaches * TCACHE_BYTES + (chunk + 2) * HEAP_CHUNK_BYTES
    fits = chunk + 1 == heap.top and end + HEAP_MIN_CHUNK_BYTES <= heap.pages * 4096
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
        tcaches = heap.tcaches
        task.tcaches = tcaches
        first = chunk_page(tcaches, new, 0)
        last = chunk_page(tcaches, new, HEAP_CHUNK_RESULTS - 1)
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
        heap.tcaches += 1  # tcache_init
        chunk = int_malloc(heap, 1)
        task.chunk = chunk
        tcaches = heap.tcaches
        task.tcaches = tcaches
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

# SPDX-License-Identifier: GPL-2.0-only
"""What a workload's threads write in user mode between two operations (see roles.py): their stacks,
the heaps of the C library that they keep their results in, and what they share.
"""

N_HEAPS: Param = 1  # most heaps of a process
HEAP_CHUNK_BYTES = 32784  # what the C library gives for the first 4,096 results of a thread
TLB_MAIN_HEAP_POSITION = 37
TLB_STACK_POSITION = (1 << 20) - 1
TLB_DATA_POSITION = 23
TLB_MAIN_STACK_POSITION = 36
MMAP_THRESHOLD_RESULTS = 16384  # 128 KiB: M_MMAP_THRESHOLD
AREA_PAGES: Param = 1  # of such a mapping; the simulator's is 1,024
HEAP_HEADER_BYTES = 2896  # heap_info, malloc_state, tcache_perthread_struct of glibc 2.36


class Malloc(Struct, count=N_MMS):
    """The C library's heaps of one process: arenas, each made for one thread, then the main one."""

    arena_count: Const[int]
    arenas: Const[int]  # first page of the first one; -1: the process keeps nothing
    arena_stride: Const[int]
    main_heap: Const[int]  # its first page
    arenas_made: int
    next_heap: int  # whose turn it is when all arenas are made: 0 the main one, 1 the last arena, ...
    forks: int  # under way: they hold the locks of all heaps
    chunks: Array[N_HEAPS, int]  # of each heap, given to threads


def user_write(page: int, position: int):
    """The thread writes to a page of its own.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if not tlb_hit(page, position):
        touch(page, True, True)
        tlb_fill(page, position)


def user_stack(task: Task):
    """The thread runs in user mode: it writes to its stack.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if task.stack >= 0:
        # Stacks of 8 MiB with a guard page follow each other downwards.
        user_write(task.stack, TLB_STACK_POSITION - task.number)


def user_heap(task: Task):
    """The thread notes a result, 8 bytes: it writes to its heap.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: the moves to larger chunks of the heap from 4,096 results on: the first is used again
    """
    if task.malloc.arenas >= 0:
        results = task.heap_results
        if results == 0:
            arena_get(task, task.malloc)
        task.heap_results = results + 1
        if results < MMAP_THRESHOLD_RESULTS:
            page = (task.heap_bytes + results % 4096 * 8) // 4096
            heap = task.heap
            position = task.heap_position
            user_write(heap + page, position + page)
        else:
            user_area(task, results)


def user_area(task: Task, results: int):
    """The thread notes a result when it has so many that the C library gave them a mapping of their own.

    Source: sysmalloc_mmap, mremap_chunk, malloc/malloc.c, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: mremap when it grows again
    """
    if results == MMAP_THRESHOLD_RESULTS:
        area = vm_mmap_pgoff(None, MAP_ANYWHERE, AREA_PAGES, 0, VM_READ | VM_WRITE | VM_MAYWRITE, False)
        task.area = area
        for i in range(0, MMAP_THRESHOLD_RESULTS * 8 // 4096):
            touch(area + i, True, True)
    start = task.area
    if start >= 0:
        page = start + results * 8 // 4096 % AREA_PAGES
        user_write(page, page)


@atomic
def arena_get(task: Task, malloc: Malloc):
    """The C library chooses the heap of a thread that allocates for the first time.

    While a fork holds the locks of all heaps, those for whom no arena is made queue at the heap
    whose turn it is, at first the main one.
    Source: arena_get2, reused_arena, malloc/arena.c, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: waiting for those locks (the write to the heap waits for the same fork)
    """
    heap = 0
    if malloc.arenas_made < malloc.arena_count:
        malloc.arenas_made += 1
        heap = malloc.arenas_made
    elif malloc.next_heap > 0:
        heap = malloc.arena_count + 1 - malloc.next_heap
    if malloc.arenas_made == malloc.arena_count and malloc.forks == 0:
        malloc.next_heap = (malloc.next_heap + 1) % (malloc.arena_count + 1)
    task.heap_bytes = HEAP_HEADER_BYTES + malloc.chunks[heap] * HEAP_CHUNK_BYTES
    malloc.chunks[heap] += 1
    task.heap = malloc.main_heap
    task.heap_position = TLB_MAIN_HEAP_POSITION
    if heap > 0:
        task.heap = malloc.arenas + (heap - 1) * malloc.arena_stride
        task.heap_position = 0  # arenas are aligned to 64 MiB


def user_shared(task: Task):
    """The thread writes what all threads of the program write: its data, and what the main thread
    keeps for them on its stack. 

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if task.shared_data >= 0:
        user_write(task.shared_data, TLB_DATA_POSITION)
        user_write(task.shared_stack, TLB_MAIN_STACK_POSITION)

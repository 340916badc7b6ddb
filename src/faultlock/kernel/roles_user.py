# SPDX-License-Identifier: GPL-2.0-only
"""What a workload's threads write in user mode between two operations (see roles.py): their stacks,
what they keep their results in (roles_malloc.py), and what they share.
"""

TLB_MAIN_HEAP_POSITION = 37
TLB_STACK_POSITION = (1 << 20) - 1
TLB_DATA_POSITION = 23
TLB_MAIN_STACK_POSITION = 36


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


def user_stack_deep(task: Task):
    """The thread calls so deep that it needs the second page of its stack.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if task.stack >= 0:
        user_write(task.stack - 1, TLB_STACK_POSITION - task.number - 1)


def user_heap(task: Task):
    """The thread notes a result, 8 bytes: it writes to its heap, and asks for more when it is full.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: results beyond AREA_PAGES overwrite earlier ones
    """
    if task.malloc.main_heap is not None:
        results = task.heap_results
        task.heap_results = results + 1
        if results % HEAP_CHUNK_RESULTS == 0:
            user_heap_grow(task, results)
        if results < MMAP_THRESHOLD_RESULTS:
            heap: Heap = task.heap
            chunk = task.chunk
            tcaches = task.tcaches
            page = chunk_page(tcaches, chunk, results)
            position = heap_position(heap, page)
            user_write(heap.start + page, position)
        else:
            area = task.area
            page = area + results // RESULTS_PER_PAGE % AREA_PAGES
            user_write(page, page)


@atomic
def user_read(page: int, position: int):
    """The thread reads a page of its own: if it may be written, and has been, the entry that the
    TLB gets allows writes too.

    Source: handle_mmu_fault, x86_cpu_tlb_fill, target/i386/tcg/sysemu/excp_helper.c, QEMU 7.2
    Context: user mode
    Returns: nothing
    Left out: an entry for reads only
    """
    if current.mm.pte_flags[page] & PTE_WRITE:
        if not tlb_hit(page, position):
            tlb_fill(page, position)


def user_loop(task: Task):
    """The thread looks whether it has to stop, and what it has to do.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if task.shared_data >= 0:
        user_read(task.shared_data, TLB_DATA_POSITION)
        user_write(task.shared_stack, TLB_MAIN_STACK_POSITION)
    cpu("user_loop")


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

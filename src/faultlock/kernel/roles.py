# SPDX-License-Identifier: GPL-2.0-only
"""What the threads of a workload do: loops of operations around the kernel's functions.

The simulator starts one `workload_thread` for each thread, one `child` for each thread that
forks, one `rcu_gp_kthread` and one `interrupt`.  Which operations, on which memory, stands in
Task and Operation; the set-up fills them from the workload file.
User-mode acts that the kernel notices are modelled too: the stack and the heap that a thread
writes between two operations are private pages, write-protected by each fork.
"""

N_OPERATIONS: Param = 1
N_HEAPS: Param = 1  # most heaps of a process
MAX_TIME_US: Param = 2000000000
HEAP_CHUNK_BYTES = 32784  # what the C library gives for the first 4,096 results of a thread
TLB_CHILD = 12  # pages of text and data that a child uses (gt.c: six and six)
TLB_MAIN_HEAP_POSITION = 37
TLB_STACK_POSITION = (1 << 20) - 1
TLB_DATA_POSITION = 23
TLB_MAIN_STACK_POSITION = 36
MMAP_THRESHOLD_RESULTS = 16384  # 128 KiB: M_MMAP_THRESHOLD
AREA_PAGES: Param = 1  # of such a mapping; the simulator's is 1,024
HEAP_HEADER_BYTES = 2896  # heap_info, malloc_state, tcache_perthread_struct of glibc 2.36


# what one operation does (workload/operations.py)
OPERATION_NONE = 0
OPERATION_TOUCH = 1
OPERATION_KERNEL_MODE_FAULT = 2
OPERATION_ANON_TOUCH = 3
OPERATION_FORK = 4
OPERATION_MMAP_MUNMAP = 5
OPERATION_MPROTECT = 6
OPERATION_READ_PROC = 7
OPERATION_SLEEP = 8
OPERATION_COMPUTE = 9
OPERATION_MADVISE = 10
OPERATION_POPULATE = 11
OPERATION_POPULATE_READ = 12
OPERATION_GUP = 13
OPERATION_MMAP = 14
OPERATION_MUNMAP = 15
OPERATION_VCPU = 16
OPERATION_FUSE_RECEIVE = 17
OPERATION_FUSE_REPLY = 18
OperationKind = Range[0, 31]

# which page comes next
ACCESS_RANDOM = 0
ACCESS_OWN = 1
ACCESS_SEQUENTIAL = 2
ACCESS_HERD = 3
ACCESS_ZIPF = 4
Access = Range[0, 5]


class machine(Struct, count=1):
    """The run: when it stops, and what all threads share."""

    stop: bool
    herd: int  # round of the herd


class Operation(Struct, count=N_OPERATIONS):
    """One step of one thread's loop.  Address ranges are in pages."""

    kind: Const[OperationKind]
    number: Const[int]  # for the results
    next_operation: Const[Operation]  # None: the last one of the loop
    repeat: Const[int]
    access: Const[Access]
    write: Const[bool]
    start: Const[int]  # address of the first VMA of the mapping
    vma_pages: Const[int]
    vma_stride: Const[int]  # from the start of one VMA to the next
    vma_count: Const[int]
    size: Const[int]
    what: Const[Range[0, 31]]  # advice, or which file of /proc
    has_think: Const[bool]
    target: Const[MM]
    map_file: Const[File]  # of mmap
    map_pgoff: Const[Index]
    map_flags: Const[vm_flags_t]
    vcpu: Const[VCPU]
    serves: Const[Mapping]  # of fuse_receive
    cursor: int


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


class Task(Struct, count=N_THREADS):
    """One thread of the workload: who it is and what memory it writes besides."""

    number: Const[int]  # within its process, from 0
    first_operation: Const[Operation]
    rounds: Const[int]  # 0: until the end
    stack: Const[int]  # address of the page of its stack it writes; -1: none
    malloc: Const[Malloc]
    heap: int  # first page of the heap it keeps its results in, from the first result on
    heap_position: int  # that page, as far as it matters to the TLB
    heap_bytes: int  # where in it they begin
    heap_results: int  # how many there are
    area: int  # first page of the mapping they moved to
    shared_data: Const[int]  # page of the program's data that all threads write; -1: none
    shared_stack: Const[int]  # page of the main thread's stack that all threads write; -1: none
    thread_count: Const[int]  # of the process
    child: Const[Thread]  # runs when this thread forks
    pages_copied: int  # by its last fork
    child_done: Thread  # who waits for the child, or the child when it has exited
    parent_task: Const[Task]  # of a child: its parent's
    start_after_us: Const[int]
    round_number: Const[int]  # under which a whole pass of the loop appears; -1: not
    fuse_request: Request  # the one a server works on


# ---- memory a thread writes between operations ---------------------------------------------------------


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


# ---- which page -----------------------------------------------------------------------------------------


def next_page(task: Task, operation: Operation) -> int:
    """The page the operation works on next.

    Source: none (the workload)
    Context: user mode
    Returns: its address
    Left out: nothing
    """
    pages = operation.vma_pages
    count = operation.vma_count
    start = operation.start
    stride = operation.vma_stride
    access = operation.access
    own = task.number % count
    if access == ACCESS_SEQUENTIAL:
        page = operation.cursor
        operation.cursor = page + 1
        page = (task.number // count * (pages // 64) + page) % pages
        return start + own * stride + page
    if access == ACCESS_HERD:
        herd = machine.herd
        operation.cursor = herd
        return start + (herd * 2654435761) % pages
    if access == ACCESS_OWN:
        page = choose(0, pages, "random_page")
        return start + own * stride + page
    page = 0
    if access == ACCESS_ZIPF:
        page = choose(0, pages * count, "zipf_page")
    else:
        page = choose(0, pages * count, "random_page")
    return start + page // pages * stride + page % pages


@atomic
def herd_moves_on(round_number: int):
    """The herd goes to its next page when the first thread is done with this one.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if machine.herd == round_number:
        machine.herd = round_number + 1


def next_vma(operation: Operation) -> int:
    """The VMA whose turn it is (round robin).

    Source: none (the workload)
    Context: user mode
    Returns: its first address
    Left out: nothing
    """
    turn = operation.cursor
    operation.cursor = turn + 1
    return operation.start + turn % operation.vma_count * operation.vma_stride


# ---- operations ------------------------------------------------------------------------------------------


def operation_touch(task: Task, operation: Operation):
    """Read or write one byte of one page.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    address = next_page(task, operation)
    emit("OP_BEGIN", operation.number)
    cpu("user_touch")
    touch(address, operation.write, True)
    tlb_fill(address, address)
    user_shared(task)
    user_stack(task)
    emit("OP_END", operation.number)
    user_heap(task)
    if operation.access == ACCESS_HERD:
        round_number = operation.cursor
        herd_moves_on(round_number)


def operation_kernel_mode_fault(task: Task, operation: Operation):
    """write(2) of one byte of one page: the kernel reads it.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: the pipe
    """
    address = next_page(task, operation)
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    touch(address, False, False)
    user_stack(task)
    emit("OP_END", operation.number)
    user_heap(task)


def operation_anon_touch(task: Task, operation: Operation):
    """Write to the next page of anonymous memory; start again when all are written.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    page = operation.cursor
    emit("OP_BEGIN", operation.number)
    cpu("user_touch")
    touch(operation.start + page, True, True)
    user_stack(task)
    emit("OP_END", operation.number)
    user_heap(task)
    page += 1
    if page == operation.size:
        do_madvise(operation.start, operation.start + operation.size, MADV_DONTNEED)
        page = 0
    operation.cursor = page


def operation_sleep(task: Task, operation: Operation):
    """Sleep for the operation's time.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    time_us = choose(0, MAX_TIME_US, "operation_time_us")
    nanosleep(task, time_us)
    emit("OP_END", operation.number)


def operation_compute(task: Task, operation: Operation):
    """Use the CPU for the operation's time.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    time_us = choose(0, MAX_TIME_US, "operation_time_us")
    cpu("user_compute_us", time_us)
    emit("OP_END", operation.number)


def nanosleep(task: Task, time_us: int):
    """usleep(3); the thread's stack is written before and after.

    Source: hrtimer_nanosleep, kernel/time/hrtimer.c, 6.12
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    cpu("nanosleep_begin")
    sleep(time_us)
    cpu("nanosleep_end")
    user_stack(task)


# ---- the loop ---------------------------------------------------------------------------------------------


def run_operation(task: Task, operation: Operation):
    """One operation, by its kind.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    kind = operation.kind
    if kind == OPERATION_TOUCH:
        operation_touch(task, operation)
    elif kind == OPERATION_FORK:
        operation_fork(task, operation)
    elif kind == OPERATION_MMAP_MUNMAP:
        operation_mmap_munmap(task, operation)
    elif kind == OPERATION_MPROTECT:
        operation_mprotect(task, operation)
    elif kind == OPERATION_ANON_TOUCH:
        operation_anon_touch(task, operation)
    elif kind == OPERATION_KERNEL_MODE_FAULT:
        operation_kernel_mode_fault(task, operation)
    elif kind == OPERATION_READ_PROC:
        operation_read_proc(task, operation)
    elif kind == OPERATION_MADVISE:
        operation_madvise(task, operation)
    elif kind == OPERATION_POPULATE_READ or kind == OPERATION_POPULATE:
        operation_populate(task, operation)
    elif kind == OPERATION_SLEEP:
        operation_sleep(task, operation)
    elif kind == OPERATION_COMPUTE:
        operation_compute(task, operation)
    else:
        run_memory_operation(task, operation)


def think(task: Task, operation: Operation):
    """Sleep for the operation's think time.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    if operation.has_think:
        time_us = choose(0, MAX_TIME_US, "think_time_us")
        if time_us > 0:
            nanosleep(task, time_us)


@role
def workload_thread():
    """One thread of the workload: its loop until the end.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    task: Task = choose(1, N_THREADS + 1, "own_number")
    if task.start_after_us > 0:
        nanosleep(task, task.start_after_us)
    rounds = 0
    while not machine.stop:
        operation = task.first_operation
        if task.round_number >= 0:
            emit("ROUND_BEGIN")
        while operation is not None:
            left = operation.repeat
            while left > 0 and not machine.stop:
                run_operation(task, operation)
                cpu("user_loop")
                think(task, operation)
                left -= 1
            operation = operation.next_operation
        rounds += 1
        if task.round_number >= 0 and not machine.stop:
            emit("ROUND_END", task.round_number)
        if rounds == task.rounds:
            break


@role
def child():
    """The child of a forking thread: it exits at once, again and again.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: its own faults are CPU time only: nobody else can meet them
    """
    task: Task = choose(1, N_THREADS + 1, "own_number")
    while True:
        wait(current.wait_granted)
        switch_mm(0)
        cpu("child_start")
        switch_mm(0)
        cpu("child_stack", task.thread_count)
        switch_mm(0)
        cpu("child_heap", task.malloc.arena_count)
        # It writes to every thread's stack (the list of threads) and heap (locks) before it exits.
        switch_mm(TLB_CHILD + task.thread_count + task.malloc.arena_count)
        cpu("child_exit_base")
        switch_mm(0)
        cpu("child_exit_stack", task.thread_count)
        cpu("child_exit_heap", task.malloc.arena_count)
        parent = task.parent_task
        cpu("child_exit_pte", parent.pages_copied)
        child_exits(parent)
        cpu("child_exit_last")
        emit("CALL_RCU")
        emit("TASK_DEAD")


@role
def rcu_gp_kthread():
    """The kernel thread of RCU's grace periods.  The engine wakes it from the tick while callbacks
    wait: for a moment somebody else is runnable, and a task that runs may lose its turn to it.

    Source: rcu_gp_kthread, kernel/rcu/tree.c, 6.12
    Context: kernel thread
    Returns: nothing
    Left out: the grace period itself: nobody here waits for one
    """
    while True:
        wait(current.wait_granted)
        cpu("rcu_gp_kthread")
        current.wait_granted = False


@role
def interrupt():
    """The interrupt handler of the device.

    Source: none (see blk_done)
    Context: interrupt
    Returns: nothing
    Left out: nothing
    """
    blk_done()

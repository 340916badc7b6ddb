# SPDX-License-Identifier: GPL-2.0-only
"""What the threads of a workload do: loops of operations around the kernel's functions.

The simulator starts one `workload_thread` for each thread; the others that run are in
roles_kernel.py.  Which operations, on which memory, stands in Task and Operation; the set-up fills
them from the workload file.
User-mode acts that the kernel notices are modelled too: the stack and the heap that a thread
writes between two operations are private pages, write-protected by each fork.
"""

N_OPERATIONS: Param = 1
MAX_TIME_US: Param = 2000000000

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


class Task(Struct, count=N_THREADS):
    """One thread of the workload: who it is and what memory it writes besides."""

    number: Const[int]  # within its process, from 0
    first_operation: Const[Operation]
    rounds: Const[int]  # 0: until the end
    stack: Const[int]  # address of the page of its stack it writes; -1: none
    begins: Const[bool]  # it has not run before the start of the run
    malloc: Const[Malloc]
    heap: Heap  # the one it keeps its results in, from the first result on
    chunk: int  # where in it they begin,
    tcaches: int  # and behind so many tcaches
    heap_results: int  # how many there are
    area: int  # first page of the mapping they moved to
    shared_data: Const[int]  # page of the program's data that all threads write; -1: none
    shared_stack: Const[int]  # page of the main thread's stack that all threads write; -1: none
    thread_count: Const[int]  # of the process
    child: Const[Thread]  # runs when this thread forks
    pages_copied: int  # by its last fork
    child_done: Thread  # who waits for the child, or the child when it has exited
    parent_task: Const[Task]  # of a child: its parent's
    parent_mm: Const[MM]
    exit_mapping: Const[Mapping]  # of the file whose VMAs a child unlinks when it exits
    start_after_us: Const[int]
    round_number: Const[int]  # under which a whole pass of the loop appears; -1: not
    fuse_request: Request  # the one a server works on


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
    operation_end(task, operation)
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
    operation_end(task, operation)


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
    operation_end(task, operation)
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
    user_stack(task)
    cpu("nanosleep_begin")
    sleep(time_us)
    cpu("nanosleep_end")
    user_stack(task)


def operation_end(task: Task, operation: Operation):
    """The end of what is timed: the thread is in user mode, and notes how long it took.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    user_stack(task)
    emit("OP_END", operation.number)
    user_heap(task)


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
    if task.begins:
        user_stack_deep(task)
        user_stack(task)
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
                think(task, operation)
                user_loop(task)
                left -= 1
            operation = operation.next_operation
        rounds += 1
        if task.round_number >= 0 and not machine.stop:
            emit("ROUND_END", task.round_number)
        if rounds == task.rounds:
            break


@role
def main_thread():
    """The thread that started the others: it sleeps until the end.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: what it does at the end
    """
    wait(current.wait_granted)

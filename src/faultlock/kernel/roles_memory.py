# SPDX-License-Identifier: GPL-2.0-only
"""Operations of a workload's threads that map and unmap files, pin pages and serve a file system.

Which VMA, file and range stand in Operation (kernel/roles.py); the set-up fills them from the
workload file.
"""


def operation_mmap(task: Task, operation: Operation):
    """mmap of one VMA of a mapping at its own address (MAP_FIXED).

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    vm_mmap_pgoff(operation.map_file, operation.start, operation.vma_pages, operation.map_pgoff, operation.map_flags, False)
    operation_end(task, operation)


def operation_munmap(task: Task, operation: Operation):
    """munmap of one VMA of a mapping.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    __vm_munmap(operation.start, operation.start + operation.vma_pages)
    operation_end(task, operation)


def operation_gup(task: Task, operation: Operation):
    """Pin one page and let it go.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: the target's address space: pages of the own process are pinned
    """
    address = next_page(task, operation)
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    pinned = get_user_pages_unlocked(address, 1, FOLL_GET)
    if pinned == 1:
        gup_put_page()
    operation_end(task, operation)


def operation_vcpu(task: Task, operation: Operation):
    """A guest touches a page of its memory; with an asynchronous fault it goes on at once.

    Source: none (the workload)
    Context: vCPU thread
    Returns: nothing
    Left out: the guest's second task waits for nothing
    """
    address = next_page(task, operation)
    emit("OP_BEGIN", operation.number)
    kvm_faultin_pfn(operation.vcpu, address, True)
    operation_end(task, operation)


def operation_fuse_receive(task: Task, operation: Operation):
    """Wait for the next read request of the served file.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    request = fuse_dev_read(operation.serves)
    task.fuse_request = request
    emit("OP_END", operation.number)


def operation_fuse_reply(task: Task, operation: Operation):
    """Fetch the data (that takes the operation's time), then answer the request.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    time_us = choose(0, MAX_TIME_US, "operation_time_us")
    nanosleep(task, time_us)
    request = task.fuse_request
    if request is not None:
        fuse_dev_write(request, False)
    emit("OP_END", operation.number)


def run_memory_operation(task: Task, operation: Operation):
    """One operation of this file, by its kind.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    kind = operation.kind
    if kind == OPERATION_MMAP:
        operation_mmap(task, operation)
    elif kind == OPERATION_MUNMAP:
        operation_munmap(task, operation)
    elif kind == OPERATION_GUP:
        operation_gup(task, operation)
    elif kind == OPERATION_VCPU:
        operation_vcpu(task, operation)
    elif kind == OPERATION_FUSE_RECEIVE:
        operation_fuse_receive(task, operation)
    elif kind == OPERATION_FUSE_REPLY:
        operation_fuse_reply(task, operation)


@role
def fuse_server():
    """A thread that serves a file: it goes on until nobody waits for it any more.

    Source: none (the workload)
    Context: user mode
    Returns: never
    Left out: nothing
    """
    task: Task = choose(1, N_THREADS + 1, "own_number")
    while True:
        operation = task.first_operation
        while operation is not None:
            run_operation(task, operation)
            cpu("user_loop")
            operation = operation.next_operation

# SPDX-License-Identifier: GPL-2.0-only
"""Operations of a workload's thread that are one system call or two (see roles.py)."""


def operation_mmap_munmap(task: Task, operation: Operation):
    """mmap and munmap of anonymous memory.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    address = vm_mmap_pgoff(None, MAP_ANYWHERE, operation.size, 0, VM_READ | VM_WRITE | VM_MAYWRITE, False)
    cpu("system_call")
    if address >= 0:
        __vm_munmap(address, address + operation.size)
    operation_end(task, operation)


def operation_mprotect(task: Task, operation: Operation):
    """mprotect of the next VMA; READ and READ+EXEC in turn.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    address = next_vma(operation)
    prot: vm_flags_t = VM_READ
    if operation.cursor % 2 == 0:
        prot = VM_READ | VM_EXEC
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    do_mprotect(address, address + operation.size, prot)
    operation_end(task, operation)


def operation_read_proc(task: Task, operation: Operation):
    """Read a file of /proc/PID of the target to its end.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    cpu("proc_open")
    read_proc(operation.target, operation.what)
    operation_end(task, operation)


def operation_madvise(task: Task, operation: Operation):
    """madvise of the next VMA.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    address = next_vma(operation)
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    do_madvise(address, address + operation.size, operation.what)
    operation_end(task, operation)


def operation_populate(task: Task, operation: Operation):
    """madvise(MADV_POPULATE_READ) of the next pages of a mapping.

    Source: none (the workload)
    Context: user mode
    Returns: nothing
    Left out: mmap(MAP_POPULATE) of a new mapping is the same walk of an existing one
    """
    position = operation.cursor
    if position + operation.size > operation.vma_pages:
        position = 0
    address = operation.start + position
    operation.cursor = position + operation.size
    emit("OP_BEGIN", operation.number)
    cpu("system_call")
    do_madvise(address, address + operation.size, MADV_POPULATE_READ)
    operation_end(task, operation)

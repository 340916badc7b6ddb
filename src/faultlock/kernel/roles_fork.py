# SPDX-License-Identifier: GPL-2.0-only
"""The operation fork of a workload's thread, and its child (see roles.py)."""


def operation_fork(task: Task, operation: Operation):
    """fork; the child exits at once; wait for it.

    Source: fork, __malloc_fork_lock_parent, waitpid of the C library
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    emit("OP_BEGIN", operation.number)
    cpu("user_fork_before")
    fork_lock_heaps(task)
    cpu("fork")
    current.pages_copied = 0
    sys_fork()
    copied = current.pages_copied
    task.pages_copied = copied
    cpu("fork_exit")
    cpu("fork_wake_child")
    task.child_done = None
    start_child_thread(task.child)
    user_stack(task)
    fork_unlock_heaps(task)
    cpu("user_fork_after")
    emit("OP_END", operation.number)
    user_heap(task)
    cpu("wait_for_child")
    if wait_for_child(task):
        wait(current.wait_woken, on=task)
    cpu("release_task")


def fork_lock_heaps(task: Task):
    """The C library locks every heap before fork: it writes to each.

    Source: __malloc_fork_lock_parent, malloc/arena.c, glibc 2.36
    Context: user mode; sleeps
    Returns: nothing
    Left out: the main heap's lock lies in the program's data, which is not written here
    """
    malloc = task.malloc
    heap: Heap = malloc.main_heap
    if heap is not None:
        lll_lock(malloc.list_lock)
        lll_locked(malloc.list_lock)
    while heap is not None:
        lll_lock(heap.mutex)
        lll_locked(heap.mutex)
        if not heap.is_main:
            user_write(heap.start, 0)
        heap = heap.next
        if heap == malloc.main_heap:
            heap = None


def fork_unlock_heaps(task: Task):
    """The C library unlocks every heap after fork: it writes to each again.

    Source: __malloc_fork_unlock_parent, malloc/arena.c, glibc 2.36
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    malloc = task.malloc
    heap: Heap = malloc.main_heap
    while heap is not None:
        if not heap.is_main:
            user_write(heap.start, 0)
        lll_unlock(heap.mutex)
        heap = heap.next
        if heap == malloc.main_heap:
            lll_unlock(malloc.list_lock)
            heap = None


@atomic
def start_child_thread(child: Thread):
    """wake_up_new_task: the child may run.

    Source: wake_up_new_task, kernel/sched/core.c, 6.12
    Context: parent, kernel mode
    Returns: nothing
    Left out: nothing
    """
    emit("TASK_NEW", child)
    child.wait_granted = True


@atomic
def wait_for_child(task: Task) -> bool:
    """Has the parent to wait, or has the child exited already?

    Source: do_wait, kernel/exit.c, 6.12
    Context: parent
    Returns: True: wait for wait_woken
    Left out: nothing
    """
    if task.child_done is not None:
        return False
    current.wait_woken = False
    task.child_done = current
    return True


@atomic
def child_shares_no_more(mm: MM):
    """A child no longer shares the private pages of its parent (dup_mmap counted it).

    Source: exit_mmap, mm/mmap.c, 6.12
    Context: exit of the child
    Returns: nothing
    Left out: page by page
    """
    mm.live_children -= 1


@atomic
def child_exits(task: Task):
    """exit_notify: wake the parent if it waits.

    Source: exit_notify, do_notify_parent, kernel/exit.c, 6.12
    Context: child
    Returns: nothing
    Left out: nothing
    """
    current.wait_granted = False
    if task.child_done is None:
        task.child_done = current
    else:
        task.child_done.wait_woken = True

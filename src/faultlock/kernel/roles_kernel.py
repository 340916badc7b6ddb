# SPDX-License-Identifier: GPL-2.0-only
"""Who runs beside the workload's threads: children of fork, threads of the kernel, the interrupt.

The simulator starts one `child` for each thread that forks, one `rcu_gp_kthread`, one `interrupt`, and one
`workqueue_thread` for each asynchronous fault that a virtual CPU can wait for.  kswapd and the work item
that flushes statistics stand with what they work on (kswapd.py, lru.py).
"""

TLB_CHILD = 12  # pages of text and data that a child uses (gt.c: six and six)


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
        if task.exit_mapping is not None:
            i_mmap_lock_write(task.exit_mapping)  # unlink_file_vma_batch_process
            i_mmap_unlock_write(task.exit_mapping)
        cpu("child_exit_stack", task.thread_count)
        cpu("child_exit_heap", task.malloc.arena_count)
        parent = task.parent_task
        cpu("child_exit_pte", parent.pages_copied)
        child_shares_no_more(task.parent_mm)
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


@role
def workqueue_thread():
    """The worker of KVM's asynchronous faults.

    Source: none (see kvm_worker)
    Context: kernel thread
    Returns: never
    Left out: nothing
    """
    kvm_worker()

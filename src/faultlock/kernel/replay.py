# SPDX-License-Identifier: GPL-2.0-only
"""A recorded thread: what it did, in its order, with the time it computed in between.

The simulator starts one `replay_thread` for each recorded thread and fills ReplayOperation from the
recording. What the kernel does for an operation is the model's; what the thread does is not.
"""

N_REPLAY_OPERATIONS: Param = 1
N_REPLAY_READS: Param = 1

REPLAY_NONE = 0
REPLAY_FAULT = 1  # touch a page in user mode
REPLAY_KERNEL_FAULT = 2  # the kernel touches a page for it
REPLAY_MMAP = 3
REPLAY_MUNMAP = 4
REPLAY_MPROTECT = 5
REPLAY_MADVISE = 6
REPLAY_THREAD = 7  # a new thread
REPLAY_FORK = 8
REPLAY_VFORK = 9
REPLAY_EXEC = 10
REPLAY_EXIT = 11
REPLAY_READ = 12
REPLAY_SLEEP = 13
REPLAY_BRK = 14
REPLAY_MREMAP = 15
REPLAY_DROP = 16  # pages of a file leave the page cache
REPLAY_READAHEAD = 17  # readahead(2), posix_fadvise(2)


class ReplayRead(Struct, count=N_REPLAY_READS):
    """How long a recorded read took."""

    following: Const[ReplayRead]  # of the same operation, farther in the file
    ns: Const[int]
    index: Const[int]  # up to the request that holds this page of the file


class ReplayOperation(Struct, count=N_REPLAY_OPERATIONS):
    """One operation. Addresses and lengths are in pages."""

    kind: Const[Range[0, 31]]
    next_operation: Const[ReplayOperation]
    needs: Const[ReplayOperation]  # of another thread, which comes first
    done: bool
    first_waiter: Thread  # threads whose next operation needs this one
    compute_ns: Const[int]  # on the CPU before it
    sleep_us: Const[int]
    first_read: Const[ReplayRead]  # None: reads take as long as the device does
    address: Const[Address]
    pages: Const[Address]
    new_address: Const[Address]  # of brk: the new end; of mremap: where it went
    new_pages: Const[Address]
    write: Const[bool]
    vm_flags: Const[vm_flags_t]  # of mmap and mprotect
    advice: Const[Range[0, 31]]
    file: Const[File]
    pgoff: Const[Index]
    child: Const[Thread]
    child_task: Const[ReplayThread]  # the child's
    child_mm: Const[MM]  # of fork: the copy; of exec: the new one


class ReplayThread(Struct, count=N_THREADS):
    """One recorded thread."""

    first_operation: Const[ReplayOperation]
    start_after_us: Const[int]
    waits_for_parent: Const[bool]  # a clone or fork of the recording starts it
    vfork_parent: Thread  # sleeps until this thread has its own address space, or is gone


@atomic
def replay_await(needed: ReplayOperation) -> bool:
    """Get in line for the end of another thread's operation.

    Source: none (the recording: what the threads told each other is not in it)
    Context: user mode
    Returns: True: wait; False: it is over
    Left out: nothing
    """
    if needed.done:
        return False
    current.wait_woken = False
    current.wait_next = needed.first_waiter
    needed.first_waiter = current
    return True


@atomic
def replay_done(operation: ReplayOperation):
    """An operation is over: who waits for it goes on.

    Source: none (the recording)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    operation.done = True
    thread = operation.first_waiter
    operation.first_waiter = None
    while thread is not None:
        following = thread.wait_next
        thread.wait_next = None
        thread.wait_woken = True
        thread = following


@atomic
def replay_start_child(child: Thread, mm: MM):
    """wake_up_new_task for a recorded thread.

    Source: copy_mm, wake_up_new_task, kernel/fork.c, 6.12
    Context: parent, kernel mode
    Returns: nothing
    Left out: nothing
    """
    emit("TASK_NEW", child)
    child.mm = mm
    mm.users += 1
    child.wait_granted = True


@atomic
def replay_started() -> bool:
    """The parent has made this thread.

    Source: none (the recording)
    Context: ret_from_fork
    Returns: True
    Left out: nothing
    """
    current.wait_granted = False
    return True


def replay_fork(operation: ReplayOperation):
    """fork: copy the address space, start the child.

    Source: kernel_clone, copy_process, kernel/fork.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: what fork does besides the address space is one cost
    """
    child = operation.child_mm
    cpu("fork")
    complete = dup_mmap(child)
    if complete:
        replay_start_child(operation.child, child)
    cpu("fork_exit")


@atomic
def replay_vfork_begins(child: ReplayThread):
    """The parent of a vfork sleeps until its child has its own address space, or is gone.

    Source: wait_for_vfork_done, kernel/fork.c, 6.12
    Context: parent
    Returns: nothing
    Left out: nothing
    """
    current.wait_woken = False
    child.vfork_parent = current


@atomic
def replay_vfork_done(task: ReplayThread):
    """mm_release: wake the parent of a vfork.

    Source: complete_vfork_done, kernel/fork.c, 6.12
    Context: child
    Returns: nothing
    Left out: nothing
    """
    if task.vfork_parent is not None:
        task.vfork_parent.wait_woken = True
        task.vfork_parent = None


def replay_exec(task: ReplayThread, operation: ReplayOperation):
    """exec: a new address space takes the place of the old one.

    Source: exec_mmap, begin_new_exec, fs/exec.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: reading and mapping the program: the recording has its reads and faults
    """
    old = current.mm
    mmap_read_lock(old)
    mmap_read_unlock(old)
    with atomic:
        operation.child_mm.users += 1
        current.mm = operation.child_mm
    replay_vfork_done(task)
    mmput(old)


def replay_mremap(old: Address, pages: Address, new: Address, new_pages: Address):
    """mremap(2) to the address that it went to.

    Source: mremap, mremap_to, mm/mremap.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: MREMAP_DONTUNMAP, a second mapping of a shared one (old length 0)
    """
    if new == old:
        sys_mremap(old, pages, new_pages, False)
        return
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return
    moved = min(pages, new_pages)
    if pages > moved:
        do_vmi_munmap(mm, old + moved, old + pages, False)
    if new_pages > 0:
        do_vmi_munmap(mm, new, new + new_pages, False)
    vma = vma_lookup(mm, old)
    if vma is not None:
        if move_vma(vma, old, moved, new):
            vma = vma_lookup(mm, new)
            if vma is not None:
                if new_pages > moved:
                    vma_expand(vma, new, new + new_pages)
    mmap_write_unlock(mm)


def replay_touch(operation: ReplayOperation, user: bool):
    """Touch a page; what would be a signal or EFAULT is counted.

    Source: none (the recording)
    Context: user mode, or copy_from_user
    Returns: nothing
    Left out: the recorded program got no signal: what it would do is not known
    """
    result = touch(operation.address, operation.write, user)
    if result == Trap.SIGSEGV:
        emit("REPLAY_SIGSEGV")
    elif result == Trap.SIGBUS:
        emit("REPLAY_SIGBUS")
    elif result == Trap.FIXUP:
        emit("REPLAY_EFAULT")


@atomic
def replay_count_cached(mapping: Mapping, start: Index, end: Index) -> int:
    """How many pages of [start, end) are in the page cache.

    Source: none (the recording)
    Context: any
    Returns: pages
    Left out: nothing
    """
    found = 0
    for index in range(start, end):
        if filemap_is_cached(mapping, index):
            found += 1
    return found


def replay_drop(operation: ReplayOperation):
    """What the recording read a second time left the page cache before: reclaim, or truncation.

    Source: truncate_inode_pages_range, mm/truncate.c, 6.12
    Context: nothing held; waits for reads in flight
    Returns: nothing
    Left out: who did it, and when exactly
    """
    mapping = operation.file.f_mapping
    end = operation.pgoff + operation.pages
    emit("REPLAY_DROPPED", replay_count_cached(mapping, operation.pgoff, end))
    truncate_inode_pages_range(mapping, operation.pgoff, end, False)


def replay_call(operation: ReplayOperation):
    """A system call on the address space.

    Source: the callees
    Context: nothing held
    Returns: nothing
    Left out: nothing
    """
    kind = operation.kind
    address = operation.address
    end = address + operation.pages
    cpu("system_call")
    if kind == REPLAY_MMAP:
        vm_mmap_pgoff(operation.file, address, operation.pages, operation.pgoff, operation.vm_flags, False)
    elif kind == REPLAY_MUNMAP:
        __vm_munmap(address, end)
    elif kind == REPLAY_MPROTECT:
        do_mprotect(address, end, operation.vm_flags)
    elif kind == REPLAY_MADVISE:
        do_madvise(address, end, operation.advice)
    elif kind == REPLAY_BRK:
        sys_brk(address, operation.new_address)
    elif kind == REPLAY_MREMAP:
        replay_mremap(address, operation.pages, operation.new_address, operation.new_pages)


def replay_operation(task: ReplayThread, operation: ReplayOperation):
    """One operation, timed.

    Source: none (the recording)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    kind = operation.kind
    emit("OP_BEGIN", kind)
    read = operation.first_read
    while read is not None:
        emit("IO_TIME", read.ns, read.index)
        read = read.following
    if kind == REPLAY_FAULT:
        replay_touch(operation, True)
    elif kind == REPLAY_KERNEL_FAULT:
        replay_touch(operation, False)
    elif kind == REPLAY_SLEEP:
        sleep(operation.sleep_us)
    elif kind == REPLAY_READ:
        ksys_read(operation.file, operation.pgoff, operation.pgoff + operation.pages, -1)
    elif kind == REPLAY_THREAD:
        cpu("replay_thread_create")
        replay_start_child(operation.child, current.mm)
    elif kind == REPLAY_FORK:
        replay_fork(operation)
    elif kind == REPLAY_VFORK:
        cpu("replay_thread_create")
        replay_vfork_begins(operation.child_task)
        replay_start_child(operation.child, current.mm)
        wait(current.wait_woken)
    elif kind == REPLAY_EXEC:
        replay_exec(task, operation)
    elif kind == REPLAY_READAHEAD:
        cpu("system_call")
        force_page_cache_ra(operation.file, operation.pgoff, operation.pages)
    elif kind == REPLAY_DROP:
        replay_drop(operation)
    elif kind == REPLAY_EXIT:
        replay_vfork_done(task)
        do_exit()
    else:
        replay_call(operation)
    emit("OP_END", kind)


@role
def replay_thread():
    """One recorded thread from its first to its last operation.

    Source: none (the recording)
    Context: user mode
    Returns: nothing
    Left out: nothing
    """
    task: ReplayThread = choose(1, N_THREADS + 1, "own_number")
    if task.waits_for_parent:
        wait(current.wait_granted)
        replay_started()
    elif task.start_after_us > 0:
        sleep(task.start_after_us)
    operation = task.first_operation
    while operation is not None:
        cpu("replay_compute_ns", operation.compute_ns)
        if operation.needs is not None:
            if replay_await(operation.needs):
                wait(current.wait_woken)
        replay_operation(task, operation)
        replay_done(operation)
        operation = operation.next_operation
    emit("REPLAY_END")

# SPDX-License-Identifier: GPL-2.0-only
"""exit and exec (kernel/exit.c, mm/mmap.c, fs/exec.c; spec 8.7).

exit_mm comes before exit_files: a server thread that dies keeps its device open until it got
mmap_lock, uninterruptibly (spec D8).
"""


def exit_mmap(mm: MM):
    """Tear an address space down.

    Source: exit_mmap, mm/mmap.c, 6.12
    Context: last user; mmap_lock read, then write, both uninterruptible
    Returns: nothing
    Left out: mmu notifiers, huge page tables
    """
    mmap_read_lock(mm)  # 8.7.3
    vma = find_vma(mm, 0)
    while vma is not None:
        start = vma_start(vma)
        end = vma_end(vma)
        zap_page_range_single(vma, start, end, True)  # 8.7.4
        vma = vma_next(mm, vma)
    mmap_read_unlock(mm)
    mm.oom_skip = True
    mmap_write_lock(mm)  # 8.7.5
    vma = find_vma(mm, 0)
    while vma is not None:
        vma_start_write(vma)
        unlink_file_vma(vma)
        vma_mark_detached(vma)
        cpu("vma_free")
        with atomic:
            vma_erase(mm, vma)
            free_vma_pgtables(mm, vma)
            remove_vma(vma)
        vma = find_vma(mm, 0)
    mmap_write_unlock(mm)


@atomic
def mm_users_dec(mm: MM) -> bool:
    """Drop one user of an address space.

    Source: mmput, kernel/fork.c, 6.12
    Context: any
    Returns: True if it was the last
    Left out: nothing
    """
    mm.users -= 1
    return mm.users == 0


@atomic
def mmget_not_zero(mm: MM) -> bool:
    """Become a user of an address space that still has one.

    Source: mmget_not_zero, include/linux/sched/mm.h, 6.12
    Context: any
    Returns: True if it has
    Left out: nothing
    """
    if mm.users == 0:
        return False
    mm.users += 1
    return True


def mmput(mm: MM):
    """Drop one user; the last one tears the address space down.

    Source: mmput, __mmput, kernel/fork.c, 6.12
    Context: nothing held; may sleep in exit_mmap
    Returns: nothing
    Left out: aio, ksm, khugepaged exits
    """
    if mm_users_dec(mm):
        exit_mmap(mm)
        free(mm)


def exit_mm(mm: MM):
    """A thread leaves its address space.

    Source: exit_mm, kernel/exit.c, 6.12
    Context: nothing held; mmap_lock read, uninterruptible, briefly
    Returns: nothing
    Left out: clear_child_tid (a write to user memory), OOM victim accounting
    """
    mmap_read_lock(mm)  # 8.7.1
    mmap_read_unlock(mm)
    mmput(mm)


def do_exit():
    """A thread dies: first the address space, then the files.

    Source: do_exit, kernel/exit.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: everything that has no locks of this model
    """
    trap_enter()
    emit("EXIT_BEGIN")
    cpu("exit")
    exit_mm(current.mm)
    exit_files()  # 8.7.2
    exit_notify()
    emit("EXIT_END")
    trap_exit()


@atomic
def exit_notify():
    """Tell the parent.

    Source: exit_notify, kernel/exit.c, 6.12
    Context: any
    Returns: nothing
    Left out: threads of one process; reparenting
    """
    parent = current.parent
    if parent is not None:
        current.parent = None
        parent.child_exited = True


def exit_files():
    """Close the thread's files; the last close of a FUSE device ends its connection.

    Source: exit_files, kernel/exit.c; fuse_dev_release, fs/fuse/dev.c, 6.12
    Context: nothing held
    Returns: nothing
    Left out: other files
    """
    mapping = current.serves
    if mapping is None:
        return
    current.serves = None
    if is_last_server(mapping):
        fuse_abort_conn(mapping)


def exec_mmap(mm: MM) -> errno_t:
    """Replace the address space: take the old one's lock, then drop it.

    Source: exec_mmap, fs/exec.c, 6.12
    Context: other threads are gone; old mmap_lock read, killable
    Returns: 0 or -EINTR
    Left out: the new address space; exec_update_lock
    """
    if not mmap_read_lock_killable(mm):  # 8.7.6
        return -EINTR
    mmap_read_unlock(mm)
    mmput(mm)
    return 0

# SPDX-License-Identifier: GPL-2.0-only
"""fault+punch+fork: a fault waits for invalidate_lock while another process punches a hole; fork waits for the fault.

T1 reads page 0, which is not cached; T2 punches a hole; fork; the disk completes.
"""

N_THREADS: Param = 4
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("punch")
def punching():
    trap_enter()
    ext4_punch_hole(file_mapping(), 0, 1)
    trap_exit()


@thread("fork")
def forking():
    sys_fork()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@atomic
def sleeps_on_invalidate_lock(thread: Thread) -> bool:
    """Is the thread queued for invalidate_lock shared?"""
    waiter = file_mapping().invalidate_lock.first_waiter
    while waiter is not None:
        if waiter == thread:
            return thread.wait_kind == WaitKind.READ
        waiter = waiter.wait_next
    return False


@always("L2 bounded interference (invalidate_lock)")
def no_invalidate_lock_under_wanted_lock() -> bool:
    """Nobody waits for a VMA lock that a thread holds while it sleeps on invalidate_lock."""
    for thread in each(Thread):
        vma = thread.holds_vma_lock
        if vma is not None:
            if vma_lock_is_wanted(vma) and sleeps_on_invalidate_lock(thread):
                return False
    return True

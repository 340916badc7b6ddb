# SPDX-License-Identifier: GPL-2.0-only
"""oom+fault+fork: the OOM killer kills a process of which one thread waits for I/O and another forks.

T1 reads page 0, not cached; fork waits for its VMA lock; the OOM killer kills both and its reaper
tries mmap_lock; the disk never answers.
"""

N_THREADS: Param = 3
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
    thread_ends(1)


@thread("fork")
def forking():
    sys_fork()


@thread("oom")
def killing():
    with atomic:
        victim = task(1).mm
    trap_enter()
    out_of_memory(victim)
    trap_exit()


@sometimes("V the victim is killed asleep")
def killed_asleep() -> bool:
    """Some run kills the thread while it waits for its page."""
    return task(1).fatal_signal_pending and task(1).holds_folio is not None


@eventually("L3 killability")
def killed_thread_ends() -> bool:
    """A killed thread leaves the kernel although the disk never answers."""
    return has_ended(1)

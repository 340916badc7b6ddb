# SPDX-License-Identifier: GPL-2.0-only
"""fault-missing+kill+stuck-disk: the disk never answers; can a fault that missed be killed?

T1 reads page 0, which is not cached; the killer sends SIGKILL; there is no disk.
"""

N_THREADS: Param = 2
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


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


@thread("killer")
def kill_t1():
    kill_task(1)


@sometimes("V the fault is killed asleep")
def killed_asleep() -> bool:
    """Some run kills the thread while the page is locked for the read."""
    return task(1).fatal_signal_pending and task(1).holds_folio is not None


@eventually("L3 killability")
def killed_thread_ends() -> bool:
    """A killed thread leaves the kernel although the disk never answers."""
    return has_ended(1)

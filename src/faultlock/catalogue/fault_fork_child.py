# SPDX-License-Identifier: GPL-2.0-only
"""fault+fork+child: fork makes a process that faults and exits while the parent faults.

T1 reads page 0, which is not cached; fork; the child reads page 0 in its own address space.
"""

N_THREADS: Param = 4
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 1
N_MMS: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    boot_child(task(3))
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("fork")
def forking():
    sys_fork()


@thread("child", daemon=True)
def child_running():
    wait(current.wait_woken)
    current.wait_woken = False
    touch(0, False, True)
    do_exit()
    thread_ends(3)



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""fork+child+kill: a fork that makes a process is killed on the way.

A process with two VMAs forks; it is killed; the child, if there is one, reads page 0 and exits.  A
fork that does not get through leaves no half-made address space behind.
"""

N_THREADS: Param = 3
N_VMAS: Param = 4
N_VMAS_PER_MM: Param = 2
N_MMS: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, mapped twice for reading; its page is cached."""
    mm = boot_mm()
    boot_child(task(3))
    mapping = boot_mapping(1)
    file = boot_file(mapping, 1)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    boot_map(mm, file, 1, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)


@thread("fork")
def forking():
    sys_fork()


@thread("killer")
def killing():
    kill_task(1)


@thread("child", daemon=True)
def child_running():
    wait(current.wait_woken)
    current.wait_woken = False
    touch(0, False, True)
    do_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

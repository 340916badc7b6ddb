# SPDX-License-Identifier: GPL-2.0-only
"""faults-forever+fork: new faults on both VMAs never end: does fork (property L11)?

T1 faults on pages of two VMAs, which are not cached, for ever; fork write-locks both; the disk.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 2
N_REQUESTS: Param = 2
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def nothing_cached():
    """One file of two pages, mapped by a VMA each; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    file = boot_file(mapping, 1)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    boot_map(mm, file, 1, 1, 1, VM_READ | VM_EXEC)


@thread("T1", daemon=True)
def faulting():
    while True:
        do_user_addr_fault(0, False, True)
        do_user_addr_fault(1, False, True)


@thread("fork")
def forking():
    sys_fork()
    thread_ends(2)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@eventually("L11 fork progress")
def fork_ends() -> bool:
    """Fork ends, however many faults come after it: it waits for each VMA once."""
    return has_ended(2)

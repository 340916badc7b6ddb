# SPDX-License-Identifier: GPL-2.0-only
"""stack-fault+fork: a fault below the stack expands it; fork.

T1 touches the page below its stack; fork.
"""

N_THREADS: Param = 2
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def a_stack():
    """Anonymous memory that grows down, at page 1."""
    mm = boot_mm()
    boot_map(mm, None, 1, 1, 0, VM_READ | VM_WRITE | VM_GROWSDOWN)


@thread("T1")
def pushing():
    touch(0, True, True)


@thread("fork")
def forking():
    sys_fork()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run expands the stack and maps its new page."""
    return (task(1).mm.pte_flags[0] & PTE_PRIVATE) != 0

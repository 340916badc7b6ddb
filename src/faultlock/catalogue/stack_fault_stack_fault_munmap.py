# SPDX-License-Identifier: GPL-2.0-only
"""stack-fault+stack-fault+munmap: two threads grow one stack to different depths while it is unmapped.

T1 touches two pages below the stack, T2 one page below it; T3 unmaps what the stack was.
"""

N_THREADS: Param = 3
N_VMAS: Param = 3
N_VMAS_PER_MM: Param = 3
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 3
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def a_stack():
    """Anonymous memory that grows down, at page 2."""
    mm = boot_mm()
    boot_map(mm, None, 2, 1, 0, VM_READ | VM_WRITE | VM_GROWSDOWN)


@thread("T1")
def pushing_far():
    touch(0, True, True)


@thread("T2")
def pushing():
    touch(1, True, True)


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(2, 2 + 1)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run expands the stack and maps its new page."""
    return (task(1).mm.pte_flags[0] & PTE_PRIVATE) != 0

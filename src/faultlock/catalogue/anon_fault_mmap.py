# SPDX-License-Identifier: GPL-2.0-only
"""anon-fault+mmap: a first write to anonymous memory meets a thread that maps memory.

T1 writes to page 0, which needs an anon_vma, for which it tries mmap_lock; T2 maps memory.
"""

N_THREADS: Param = 2
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def anonymous_memory():
    """Anonymous memory, mapped for writing and never touched."""
    mm = boot_mm()
    boot_map(mm, None, 0, 1, 0, VM_READ | VM_WRITE)


@thread("T1")
def writing():
    touch(0, True, True)


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return (task(1).mm.pte_flags[0] & PTE_PRIVATE) != 0

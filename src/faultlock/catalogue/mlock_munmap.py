# SPDX-License-Identifier: GPL-2.0-only
"""mlock+munmap: a range loses a part while it is locked into memory.

T1 locks pages 0 and 1 into memory; T2 unmaps page 1.
"""

N_THREADS: Param = 2
N_VMAS: Param = 3
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def two_mappings():
    """One file, cached, mapped for reading by two VMAs with different advice."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    file = boot_file(mapping, 0)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    boot_map(mm, file, 1, 1, 1, VM_READ | VM_RAND_READ)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("T1")
def locking():
    trap_enter()
    do_mlock(0, 2, True)
    trap_exit()


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(1, 1 + 1)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

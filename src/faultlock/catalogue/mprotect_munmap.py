# SPDX-License-Identifier: GPL-2.0-only
"""mprotect+munmap: a range loses a part before its protection is changed.

T1 takes the right to read from pages 0 and 1; T2 unmaps page 1.
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
def protecting():
    trap_enter()
    do_mprotect(0, 2, 0)
    trap_exit()


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(1, 1 + 1)
    trap_exit()


@sometimes("V the range has a hole")
def range_has_a_hole() -> bool:
    """Some run changes the protection when there is one VMA left."""
    return task(1).holds_mmap_lock is not None and task(1).mm.map_count == 1

# SPDX-License-Identifier: GPL-2.0-only
"""fault+munmap+mmap: the VMA of a sleeping fault is replaced by one of another file (property S7).

T1 reads page 0 of file 1, in flight; T2 unmaps it and maps file 2 there; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 2
N_REQUESTS: Param = 2
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
N_FILES: Param = 2
N_MAPPINGS: Param = 2


@setup
def page_in_flight():
    """File 1 is mapped and its page is being read; file 2 is open."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)
    other = boot_mapping(1)
    boot_file(other, 1)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("remap")
def remapping():
    with atomic:
        trap_enter()
        other = open_file(2)
    __vm_munmap(0, 1)
    vm_mmap_pgoff(other, 0, 1, 0, VM_READ, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""fault+mprotect-part: mprotect splits the VMA of a fault, which has found it and not locked it yet.

T1 reads page 0 of a private mapping of two, which is cached; T2 makes page 1 writable. The VMA that
T1 has found goes on as the upper one of the two.
"""

N_THREADS: Param = 2
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file of two pages, mapped privately for reading; the first is cached."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 0), 0, 2, 0, VM_READ | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("mprotect")
def protecting():
    trap_enter()
    do_mprotect(1, 1 + 1, VM_READ | VM_WRITE)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

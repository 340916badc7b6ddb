# SPDX-License-Identifier: GPL-2.0-only
"""fault+mremap: a fault races with mremap, which moves its VMA.

T1 reads page 0, which is cached; T2 grows its mapping, which a second one is in the way of: it
moves to pages 2 and 3.
"""

N_THREADS: Param = 2
N_VMAS: Param = 3
N_VMAS_PER_MM: Param = 3
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 4
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file of two pages, the first mapped for reading at page 0; anonymous memory follows."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_map(mm, None, 1, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("mremap")
def moving():
    trap_enter()
    sys_mremap(0, 1, 2, True)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@sometimes("V the page is moved")
def page_gets_moved() -> bool:
    """Some run moves the entry."""
    return is_mapped(2)

# SPDX-License-Identifier: GPL-2.0-only
"""fault+madvise: a fault races with madvise(MADV_DONTNEED) on the same page.

T1 reads page 0, which is cached; T2 gives it up.
"""

N_THREADS: Param = 2
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, mapped for reading; its page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("madvise")
def advising():
    trap_enter()
    do_madvise(0, 1, MADV_DONTNEED)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""marked-fault+fork: a fault meets the readahead mark of a cached page and starts the next window.

T1 reads page 0, which is cached and marked; fork; the disk completes.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def page_marked():
    """One file of two pages; page 0 is cached and marked, page 1 is not cached."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 1), 0, 2, 0, VM_READ)
    folio = boot_cache(mapping, 0, 0)
    folio.readahead = True


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("fork")
def forking():
    sys_fork()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

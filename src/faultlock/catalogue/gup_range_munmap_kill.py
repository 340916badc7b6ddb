# SPDX-License-Identifier: GPL-2.0-only
"""gup-range+munmap+kill: get_user_pages walks two mappings, one of which goes away, and is killed.

T1 gets pages 0 and 1, of which page 0 is cached; T2 unmaps page 1; T3 kills T1; the disk completes.
"""

N_THREADS: Param = 4
N_VMAS: Param = 2
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
    """One file, its first page cached, mapped for reading by two VMAs with different advice."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    file = boot_file(mapping, 1)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    boot_map(mm, file, 1, 1, 1, VM_READ | VM_RAND_READ)
    boot_cache(mapping, 0, 0)


@thread("T1")
def pinning():
    trap_enter()
    get_user_pages_unlocked(0, 2, 0)
    trap_exit()


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(1, 1 + 1)
    trap_exit()


@thread("killer")
def killing():
    kill_task(1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""faults-forever+mmap: readers of mmap_lock never end: does a writer get it (property L10)?

Two threads fault on page 0 on behalf of the kernel, for ever; mmap needs the write lock.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 8
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, mapped for reading; its page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)


@thread("T", count=2, daemon=True)
def faulting():
    while True:
        do_user_addr_fault(0, False, False)


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()
    thread_ends(3)


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@eventually("L10 writer progress")
def writer_gets_the_lock() -> bool:
    """The writer gets mmap_lock, however many readers come after it."""
    return has_ended(3)

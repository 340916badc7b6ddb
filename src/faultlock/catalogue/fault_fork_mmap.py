# SPDX-License-Identifier: GPL-2.0-only
"""fault+fork+mmap: fork waits for a fault, and a third thread wants mmap_lock.

T1 reads page 0, in flight; fork waits for its VMA lock; T3 maps memory; the disk completes.
"""

N_THREADS: Param = 4
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def page_in_flight():
    """One file, mapped for reading; its page is being read."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("fork")
def forking():
    sys_fork()


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

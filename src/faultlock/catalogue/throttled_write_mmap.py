# SPDX-License-Identifier: GPL-2.0-only
"""throttled-write+mmap: a write to a shared mapping is throttled, without the lock of its fault.

T1 writes page 0, which is cached, while too many pages are dirty; T2 maps.
"""

N_THREADS: Param = 2
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1
DIRTY_EXCEEDED: Param = 1


@setup
def page_cached():
    """One file, mapped shared for writing; its page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def writing():
    user = choose(0, 2, "user")
    touch(0, True, user == 1)


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

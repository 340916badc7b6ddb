# SPDX-License-Identifier: GPL-2.0-only
"""munmap+truncate: a thread maps a page, read or copied on write, and unmaps it during a truncate.

T1 touches page 0 of a private mapping, which is cached, and unmaps it; T2 truncates the file.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, mapped privately for writing; its page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def touching_and_unmapping():
    write = choose(0, 2, "write")
    touch(0, write == 1, True)
    trap_enter()
    __vm_munmap(0, 1)
    trap_exit()


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 0, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

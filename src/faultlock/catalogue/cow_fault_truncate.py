# SPDX-License-Identifier: GPL-2.0-only
"""cow-fault+truncate: a write to a private mapping copies a page that is truncated meanwhile.

T1 writes page 0, which is cached; T2 truncates the file to nothing; the disk completes.
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
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def writing():
    touch(0, True, True)


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 0, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is copied")
def page_gets_copied() -> bool:
    """Some run maps the private copy."""
    return (task(1).mm.pte_flags[0] & PTE_PRIVATE) != 0

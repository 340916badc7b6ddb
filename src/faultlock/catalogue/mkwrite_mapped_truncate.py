# SPDX-License-Identifier: GPL-2.0-only
"""mkwrite-mapped+truncate: a page that is mapped read-only becomes writable while it is truncated.

T1 reads page 0, then writes to it, on a file system with ->page_mkwrite; T2 truncates.
"""

N_THREADS: Param = 3
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file, cached, mapped shared for writing."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    mapping.has_page_mkwrite = True
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def reading_then_writing():
    touch(0, False, True)
    touch(0, True, True)


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

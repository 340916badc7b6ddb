# SPDX-License-Identifier: GPL-2.0-only
"""mkwrite+truncate: ->page_mkwrite runs without the folio lock while the file is truncated.

T1 writes page 0, which is not cached, of a shared mapping; T2 truncates; the disk completes.
The generic filemap_page_mkwrite does not look at i_size again: for a moment the page is mapped
beyond the end.  truncate waits for the folio lock and takes it away: nothing is left at its end.
"""

N_THREADS: Param = 3
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
def nothing_cached():
    """One file, mapped shared for writing; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    mapping.has_page_mkwrite = True
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)


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


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""read+truncate: read(2) waits for a page that is truncated meanwhile.

T1 reads page 0 of the file, in flight; T2 truncates the file to nothing; the disk completes.
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
def page_in_flight():
    """One file, mapped for reading; its page is being read."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)


@thread("T1")
def reading():
    with atomic:
        file = open_file(1)
    ksys_read(file, 0, 1, -1)


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 0, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is gone")
def page_is_gone() -> bool:
    """In some run the reader has locked a page that was taken out of the file."""
    folio = task(1).holds_folio_lock
    return folio is not None and folio.mapping is None

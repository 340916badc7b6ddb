# SPDX-License-Identifier: GPL-2.0-only
"""direct-read+truncate: a file is truncated while direct I/O reads it.

T1 reads past the page cache (O_DIRECT); T2 truncates the file, which frees its blocks.
"""

N_THREADS: Param = 2
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
def page_cached():
    """One file, whose page is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_cache(mapping, 0, 0)


@thread("T1")
def reading():
    trap_enter()
    direct_read(file_mapping())
    trap_exit()


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 0, False)
    trap_exit()


@sometimes("V both are at work")
def truncate_meets_direct_read() -> bool:
    """Some run has direct I/O in flight when the truncation has begun."""
    return file_mapping().i_dio_count > 0 and file_mapping().i_rwsem.writer is not None

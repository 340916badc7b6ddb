# SPDX-License-Identifier: GPL-2.0-only
"""fault+truncate-partial: a file is cut within a page, and grows again, while the page is faulted in.

T1 reads page 0, which is cached; T2 cuts the file in the middle of page 0, then makes it longer.
"""

N_THREADS: Param = 2
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 2
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def page_cached():
    """One file of two pages, both cached, mapped for reading."""
    mm = boot_mm()
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 0), 0, 2, 0, VM_READ)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("truncate")
def truncating():
    trap_enter()
    ext4_setattr(file_mapping(), 1, True)
    trap_exit()
    trap_enter()
    ext4_setattr(file_mapping(), 2, False)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

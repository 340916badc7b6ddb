# SPDX-License-Identifier: GPL-2.0-only
"""cow-mapped+truncate: a page that is mapped read-only is copied while it is truncated.

T1 reads page 0 of a private mapping, then writes to it; T2 truncates the file.
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
    """One file, cached, mapped privately for writing."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
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


@always("S3 reference balance (the copy)")
def copy_is_not_lost() -> bool:
    """A thread in user mode keeps no page that it has allocated for a copy."""
    for thread in each(Thread):
        if thread.kernel_depth == 0 and thread.vmf_cow_page:
            return False
    return True


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""cow+fork+child: fork copies page tables with private copies and pages of the file in them.

T1 writes page 1 and reads page 0 of a private mapping, then forks; the child reads page 0 and exits.
"""

N_THREADS: Param = 2
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 3
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
N_MMS: Param = 2


@setup
def pages_cached():
    """One file of two pages, mapped privately for writing; both are cached."""
    mm = boot_mm()
    boot_child(task(2))
    mapping = boot_mapping(2)
    boot_map(mm, boot_file(mapping, 0), 0, 2, 0, VM_READ | VM_WRITE | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)
    boot_cache(mapping, 1, 0)


@thread("T1")
def writing_and_forking():
    touch(1, True, True)
    touch(0, False, True)
    sys_fork()
    touch(0, True, True)


@thread("child", daemon=True)
def child_running():
    wait(current.wait_woken)
    current.wait_woken = False
    touch(0, False, True)
    do_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

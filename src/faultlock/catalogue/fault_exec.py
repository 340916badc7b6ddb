# SPDX-License-Identifier: GPL-2.0-only
"""fault+exec: another process reads a page that the first has mapped, and the first calls exec.

T1 reads page 0, which is not cached; T2 replaces its own address space, which maps page 0 too.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 1
N_MMS: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1


@setup
def two_processes():
    """One file, mapped for reading by two processes; nothing is cached."""
    mm = boot_mm()
    move_task(2)
    mapping = boot_mapping(1)
    file = boot_file(mapping, 1)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    other = task(2).mm
    boot_map(other, file, 0, 1, 0, VM_READ)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("exec")
def executing():
    touch(0, False, True)
    trap_enter()
    with atomic:
        mm = current.mm
    exec_mmap(mm)
    trap_exit()



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""fixup+mmap: the kernel faults a page in for a futex while another thread maps.

T1 holds mmap_lock and asks for page 0, which is not cached (fixup_user_fault); T2 maps.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T1")
def fixing_up():
    trap_enter()
    with atomic:
        mm = current.mm
    mmap_read_lock(mm)
    found = fixup_user_fault(0, False)
    mmap_read_unlock(mm)
    trap_exit()


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""throttled-fixup+mmap: fixup_user_fault is throttled, which releases mmap_lock.

T1 makes page 0 of a shared mapping writable for a futex, with too much dirty memory; T2 maps memory.
"""

N_THREADS: Param = 2
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
DIRTY_EXCEEDED: Param = 1


@setup
def page_cached():
    """One file, cached, mapped shared for writing."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE)
    boot_cache(mapping, 0, 0)


@thread("T1")
def fixing_up():
    trap_enter()
    with atomic:
        mm = current.mm
    mmap_read_lock(mm)
    found = fixup_user_fault(0, True)
    mmap_read_unlock(mm)
    trap_exit()


@thread("mmap")
def mapping_memory():
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

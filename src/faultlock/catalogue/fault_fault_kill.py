# SPDX-License-Identifier: GPL-2.0-only
"""fault+fault+kill: two threads wait for a page that is being read, and one of them is killed.

T1 and T2 read page 0, which is in flight; T1 is killed; the disk completes: T2 must be woken.
"""

N_THREADS: Param = 4
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
def page_in_flight():
    """One file, mapped for reading; its page is being read."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)


@thread("T1")
def killed_faulting():
    touch(0, False, True)


@thread("T2")
def faulting():
    touch(0, False, True)


@thread("killer")
def kill_t1():
    kill_task(1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

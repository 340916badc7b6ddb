# SPDX-License-Identifier: GPL-2.0-only
"""proc-cmdline+munmap: a remote reader finds that the memory it reads is gone.

T1 reads the memory of the process, which is a cold file mapping; T2 unmaps it; the disk completes.
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


@thread("monitor")
def monitoring():
    with atomic:
        mm = task(1).mm
    read_proc(mm, ProcFile.CMDLINE)


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(0, 1)
    trap_exit()


@thread("disk", daemon=True)
def disk():
    blk_done()


@always("S3 reference balance (the reader)")
def reader_keeps_nothing() -> bool:
    """A thread in user mode keeps no page that get_user_pages has handed out to it."""
    for thread in each(Thread):
        if thread.kernel_depth == 0 and thread.gup_folio is not None:
            return False
    return True


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""fault+fork+proc-environ: a reader of /proc/PID/environ, which faults itself, meets fork and a fault.

T1 reads page 0, in flight; fork; the reader reads page 0 remotely; the disk completes.
"""

N_THREADS: Param = 4
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 9
MMAP_LOTSAMISS: Param = 1
FORK_CHILD: Param = 0


@setup
def page_in_flight():
    """One file, mapped for reading; its page is being read."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 0), 0, 1, 0, VM_READ)
    boot_read(mapping, 0, 1)


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("fork")
def forking():
    sys_fork()


@thread("monitor")
def monitoring():
    with atomic:
        mm = task(1).mm
    read_proc(mm, ProcFile.ENVIRON)



@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

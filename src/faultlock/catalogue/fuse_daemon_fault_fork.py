# SPDX-License-Identifier: GPL-2.0-only
"""fuse-daemon+fault+fork: the server of a FUSE file reads /proc/PID/cmdline of the process that faults.

T1 reads page 0; fork waits for its VMA lock; the daemon, a process of its own, reads cmdline of T1
before it answers.
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
N_MMS: Param = 2
FORK_CHILD: Param = 0
CMDLINE_ADDRESS: Param = 1


@setup
def served_by_a_daemon():
    """A file served by another process; the client has its arguments in anonymous memory."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)
    mapping.served = True
    stack = boot_map(mm, None, 1, 1, 0, VM_READ | VM_WRITE)
    stack.anon_vma = True
    mm.pte_flags[1] = PTE_PRIVATE | PTE_WRITE
    move_task(2)
    task(2).serves = mapping


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("daemon")
def serving():
    with atomic:
        mapping = file_mapping()
    request = fuse_dev_read(mapping)
    with atomic:
        client = task(1).mm
    read_proc(client, ProcFile.CMDLINE)
    if request is not None:
        fuse_dev_write(request, False)


@thread("fork")
def forking():
    sys_fork()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

# SPDX-License-Identifier: GPL-2.0-only
"""fuse-self+fault+fork: as fuse-self+kernel-fault+mmap, under the VMA lock, with a third thread that forks.

T1 reads page 0; fork waits for its VMA lock; the server maps memory before it answers.
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
FORK_CHILD: Param = 0


@setup
def served_here():
    """A file served by T2 of the same process; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)
    mapping.served = True
    task(2).serves = mapping


@thread("T1")
def faulting():
    touch(0, False, True)


@thread("server")
def serving():
    with atomic:
        mapping = file_mapping()
    request = fuse_dev_read(mapping)
    trap_enter()
    vm_mmap_pgoff(None, -1, 1, 0, VM_READ | VM_WRITE, False)
    trap_exit()
    if request is not None:
        fuse_dev_write(request, False)


@thread("fork")
def forking():
    sys_fork()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

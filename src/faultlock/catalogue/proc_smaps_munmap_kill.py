# SPDX-License-Identifier: GPL-2.0-only
"""proc-smaps+munmap+kill: a reader that gave mmap_lock up for a writer is killed before it has it again.

T1 reads smaps_rollup; T2 unmaps memory; T3 kills T1.
"""

N_THREADS: Param = 3
N_VMAS: Param = 2
N_VMAS_PER_MM: Param = 2
N_FILE_PAGES: Param = 2
N_ADDRESS_PAGES: Param = 2
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
MAX_WINDOW_PAGES: Param = 1
MAX_REFCOUNT: Param = 7
MMAP_LOTSAMISS: Param = 1


@setup
def two_mappings():
    """One file, mapped for reading by two VMAs with different advice."""
    mm = boot_mm()
    file = boot_file(boot_mapping(2), 0)
    boot_map(mm, file, 0, 1, 0, VM_READ)
    boot_map(mm, file, 1, 1, 1, VM_READ | VM_RAND_READ)


@thread("T1")
def monitoring():
    with atomic:
        mm = current.mm
    read_proc(mm, ProcFile.SMAPS_ROLLUP)


@thread("munmap")
def unmapping():
    trap_enter()
    __vm_munmap(1, 1 + 1)
    trap_exit()


@thread("killer")
def killing():
    kill_task(1)


@sometimes("V the reader is in the way")
def reader_is_in_the_way() -> bool:
    """Some run has the reader hold mmap_lock while somebody waits for it."""
    return mmap_lock_is_wanted(task(1).mm) and task(1).holds_mmap_lock is not None

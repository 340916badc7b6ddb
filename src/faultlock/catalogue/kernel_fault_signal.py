# SPDX-License-Identifier: GPL-2.0-only
"""kernel-fault+signal: an ordinary signal arrives while the kernel faults on user memory.

T1 reads page 0, in flight, for the kernel (copy_from_user); T2 sends a signal; the disk completes.
Only a fatal signal may end that access: an ordinary one waits until the thread is in user mode.
"""

N_THREADS: Param = 3
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
def copying():
    result = touch(0, False, False)
    assert result == Trap.MAPPED, "S5 result contract: a kernel access fails although no fatal signal is pending"


@thread("signal")
def signalling():
    signal_task(1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)

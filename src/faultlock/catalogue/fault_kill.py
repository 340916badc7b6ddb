# SPDX-License-Identifier: GPL-2.0-only
"""fault+kill: a fault finds its page in flight, and the thread is killed (defects D1, D2, D4).

Actors: T1 reads page 0, which somebody's readahead is filling; T2 sends SIGKILL; the disk.
"""

N_THREADS: Param = 3
N_FOLIOS: Param = 1
N_REQUESTS: Param = 1
N_VMAS: Param = 1
N_VMAS_PER_MM: Param = 1
N_FILE_PAGES: Param = 1
N_ADDRESS_PAGES: Param = 1
MAX_WINDOW_PAGES: Param = 1


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


@thread("T2")
def killer():
    kill_task(1)


@thread("disk", daemon=True)
def disk():
    blk_done()

# SPDX-License-Identifier: GPL-2.0-only
"""fault+signal-storm+reclaim: a signal in every attempt, and its handler's memory evicts the page: is it ever mapped (property L9)?

T1 reads page 0, which is not cached; after each signal it reclaims a folio; T2 signals for ever.
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
def nothing_cached():
    """One file, mapped for reading; nothing is cached."""
    mm = boot_mm()
    mapping = boot_mapping(1)
    boot_map(mm, boot_file(mapping, 1), 0, 1, 0, VM_READ)


@thread("T1")
def faulting():
    while True:
        result = do_user_addr_fault(0, False, True)
        if result != Trap.SIGNAL:
            return
        current.signal_pending = False
        trap_enter()
        reclaim_once()
        trap_exit()


@thread("signals", daemon=True)
def signalling():
    while True:
        signal_task(1)


@thread("disk", daemon=True)
def disk():
    blk_done()


@sometimes("V the page is mapped")
def page_gets_mapped() -> bool:
    """Some run maps the page."""
    return is_mapped(0)


@eventually("L9 signal storm")
def page_is_mapped_at_last() -> bool:
    """However many signals arrive, the page is mapped at some time."""
    return is_mapped(0)

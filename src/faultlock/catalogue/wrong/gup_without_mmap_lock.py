# SPDX-License-Identifier: GPL-2.0-only
"""gup-without-mmap-lock: get_user_pages goes on without mmap_lock after a fault that released it.

Must be found as: S7 in fault+process-vm-readv+munmap
"""

base = "drop-retry"


def gup_retry_page(mm: MM, address: Address, foll_flags: foll_t) -> gup_t:
    """After a fault that released mmap_lock: take it again and finish that one page.

    Source: label retry of __get_user_pages_locked, mm/gup.c, 6.12
    Context: mmap_lock not held; sleeps, killable; see current.gup_locked afterwards
    Returns: 1 done; 0 or negative: stop
    Left out: nothing
    """
    while True:
        if gup_signal_pending(foll_flags):  # 8.10.6
            return -EINTR
        current.gup_locked = True
        result = __get_user_pages(mm, address, 1, foll_flags | FOLL_TRIED)  # 8.10.8
        if current.gup_locked:
            return result

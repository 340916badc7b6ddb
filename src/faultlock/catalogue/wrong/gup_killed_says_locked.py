# SPDX-License-Identifier: GPL-2.0-only
"""gup-killed-says-locked: get_user_pages that is killed says that it holds mmap_lock.

Must be found as: S4 in gup-range+munmap+kill
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
        if not mmap_read_lock_killable(mm):  # 8.10.7
            return -EINTR
        result = __get_user_pages(mm, address, 1, foll_flags | FOLL_TRIED)  # 8.10.8
        if current.gup_locked:
            return result

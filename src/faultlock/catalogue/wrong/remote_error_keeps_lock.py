# SPDX-License-Identifier: GPL-2.0-only
"""remote-error-keeps-lock: a remote reader whose page is gone returns with mmap_lock held.

Must be found as: S4 in proc-cmdline+munmap
"""

base = "drop-retry"


def __access_remote_vm(mm: MM, start: Address, nr_pages: Address) -> int:
    """Read pages of another process, one at a time, with its mmap_lock held all the while.

    Source: __access_remote_vm, get_user_page_vma_remote, mm/memory.c, 6.12
    Context: takes mmap_lock of mm for read, killable; no FOLL_UNLOCKABLE: I/O is waited for uninterruptibly with it held
    Returns: pages read
    Left out: stack expansion, VM_IO mappings
    """
    if not mmap_read_lock_killable(mm):  # 8.8.3
        return 0
    done = 0
    while done < nr_pages:
        pages = get_user_pages_remote(mm, start + done, 1, FOLL_GET, False)  # 8.8.4
        if pages != 1:
            return done
        cpu("copy_page")
        gup_put_page()
        done += 1
    mmap_read_unlock(mm)
    return done

# SPDX-License-Identifier: GPL-2.0-only
"""Reading the memory of another process: /proc files, ptrace, process_vm_readv (spec 8.8, 8.10)."""


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
            break
        cpu("copy_page")
        gup_put_page()
        done += 1
    mmap_read_unlock(mm)
    return done


def process_vm_readv(mm: MM, start: Address, nr_pages: Address) -> errno_t:
    """process_vm_readv(2): pin a page of another process, copy it, next.

    Source: process_vm_rw_single_vec, mm/process_vm_access.c, 6.12
    Context: takes mmap_lock of mm for read, uninterruptible; faults may release it (UNLOCKABLE)
    Returns: 0 or -EFAULT
    Left out: up to 16 pages are pinned at once in the kernel
    """
    done: Address = 0
    while done < nr_pages:
        mmap_read_lock(mm)  # 8.8.6
        pages = get_user_pages_remote(mm, start + done, 1, FOLL_GET, True)
        if current.gup_locked:
            mmap_read_unlock(mm)
        if pages <= 0:
            return -EFAULT
        cpu("copy_page")
        gup_put_page()
        done += 1
    return 0

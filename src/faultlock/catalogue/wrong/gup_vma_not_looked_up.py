# SPDX-License-Identifier: GPL-2.0-only
"""gup-vma-not-looked-up: get_user_pages goes on with the VMA of the page before.

Must be found as: S8 in gup-range+munmap+kill
"""

base = "drop-retry"


def __get_user_pages(mm: MM, start: Address, nr_pages: Address, foll_flags: foll_t) -> gup_t:
    """Walk a range, faulting in what is absent; mmap_lock stays held unless a fault drops it.

    Source: __get_user_pages, mm/gup.c, 6.12
    Context: mmap_lock held for read (write in mprotect); see current.gup_locked afterwards
    Returns: pages done, or, when none, 0 (stopped by RETRY) or a negative error
    Left out: gate area, device mappings, huge pages
    """
    done: Address = 0
    vma: VMA = None
    while done < nr_pages:
        if vma is None:
            vma = vma_lookup(mm, start + done)
            if vma is None:
                return done if done > 0 else -EFAULT
            if not gup_vma_permits(vma, foll_flags):
                return done if done > 0 else -EFAULT
        if current.fatal_signal_pending:  # 8.10.1
            return done if done > 0 else -EINTR
        cpu("gup_page")
        if follow_page_pte(mm, start + done, foll_flags):
            done += 1
            continue
        error = faultin_page(vma, start + done, foll_flags)
        if error == 0:
            continue
        if done > 0:
            return done
        if error == -EBUSY or error == -EAGAIN:
            return 0
        return error
    return done

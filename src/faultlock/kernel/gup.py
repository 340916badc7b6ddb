# SPDX-License-Identifier: GPL-2.0-only
"""get_user_pages: faults that kernel code makes on behalf of an address space (spec 8.10).

All of them run under mmap_lock, never under a VMA lock.  Whether the fault may give the lock
up and wait killably depends on FOLL_UNLOCKABLE alone.

# Model: the kernel passes `int *locked`; here it is current.gup_locked: "the caller's
# mmap_lock is still held".  A page that is handed out is a folio reference counted in
# current.gup_pages.
"""


@atomic
def gup_fault_flags(foll_flags: foll_t) -> fault_flag_t:
    """Translate FOLL_* into FAULT_FLAG_*.

    Source: faultin_page, mm/gup.c, 6.12
    Context: none
    Returns: the flags for handle_mm_fault
    Left out: FOLL_HWPOISON, unsharing (FAULT_FLAG_UNSHARE)
    """
    fault_flags: fault_flag_t = 0
    if foll_flags & FOLL_WRITE:
        fault_flags |= FAULT_FLAG_WRITE
    if foll_flags & FOLL_REMOTE:
        fault_flags |= FAULT_FLAG_REMOTE
    if foll_flags & FOLL_UNLOCKABLE:
        fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE
        if foll_flags & FOLL_INTERRUPTIBLE:
            fault_flags |= FAULT_FLAG_INTERRUPTIBLE
    if foll_flags & FOLL_NOWAIT:
        fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT
    if foll_flags & FOLL_TRIED:
        fault_flags |= FAULT_FLAG_TRIED
    return fault_flags


@atomic
def follow_page_pte(mm: MM, address: Address, foll_flags: foll_t) -> bool:
    """Is the page there, with the permission asked for?  If so mark it used and hand it out.

    Source: follow_page_mask, follow_page_pte, mm/gup.c, 6.12
    Context: mmap_lock held; takes the PTL inside
    Returns: True: present (and, with FOLL_GET, current.gup_folio holds a reference)
    Left out: huge PMDs, PTEs to memory without struct page, NUMA hinting
    """
    if not pte_present(mm, address):
        return False
    if foll_flags & FOLL_WRITE:
        if mm.pte_flags[address] & PTE_WRITE == 0:
            return False
    mm.pte_flags[address] |= PTE_ACCESSED
    if foll_flags & FOLL_GET:
        gup_take_page(mm.pte[address])
    return True


@atomic
def gup_take_page(folio: Folio):
    """Take the caller's reference on a page that GUP hands out.

    Source: try_grab_folio, mm/gup.c, 6.12
    Context: PTL held, so the PTE's reference keeps the folio alive
    Returns: nothing
    Left out: private pages (they have no folio here); the pin bias of FOLL_PIN
    """
    if folio is None:
        return
    folio.refcount += 1
    folio.extra_refs += 1
    current.gup_folio = folio


def gup_put_page():
    """Give back the last page that GUP handed out to this thread.

    Source: put_page, unpin_user_page, mm/gup.c, 6.12
    Context: none
    Returns: nothing
    Left out: only the last page of a range is remembered; gup callers here take one at a time
    """
    folio = current.gup_folio
    if folio is None:
        return
    current.gup_folio = None
    with atomic:
        folio.extra_refs -= 1
        folio_ref_sub(folio, 1)


def faultin_page(vma: VMA, address: Address, foll_flags: foll_t) -> errno_t:
    """Make one fault for GUP.

    Source: faultin_page, mm/gup.c, 6.12
    Context: mmap_lock held for read; current.gup_locked is cleared if the fault released it
    Returns: 0 look again; -EBUSY/-EAGAIN stop without error; -EFAULT, -ENOMEM
    Left out: hardware poison, the sanity check that NOWAIT keeps the lock is an assert
    """
    if foll_flags & FOLL_NOFAULT:
        return -EFAULT
    fault_flags = gup_fault_flags(foll_flags)  # 8.10.2
    result = handle_mm_fault(vma, address, fault_flags)
    if result & VM_FAULT_COMPLETED:
        assert fault_flags & FAULT_FLAG_RETRY_NOWAIT == 0, "S5 result contract: COMPLETED with NOWAIT"
        current.gup_locked = False  # 8.10.4
        return -EAGAIN
    if result & VM_FAULT_ERROR:
        if result & VM_FAULT_OOM:
            return -ENOMEM
        return -EFAULT
    if result & VM_FAULT_RETRY:
        if fault_flags & FAULT_FLAG_RETRY_NOWAIT:
            return -EBUSY  # 8.10.5
        current.gup_locked = False  # 8.10.3
        return -EBUSY
    return 0


@atomic
def gup_vma_permits(vma: VMA, foll_flags: foll_t) -> bool:
    """Do the VMA's permissions allow this access?

    Source: check_vma_flags, mm/gup.c, 6.12
    Context: mmap_lock held for read
    Returns: True if they do
    Left out: FOLL_FORCE (ptrace writes to read-only text), VM_IO, VM_PFNMAP, shadow stacks
    """
    if foll_flags & FOLL_WRITE:
        return vma.vm_flags & VM_WRITE != 0
    return vma.vm_flags & (VM_READ | VM_EXEC | VM_WRITE) != 0


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
        if vma is None or start + done >= vma.vm_end:
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


def gup_signal_pending(foll_flags: foll_t) -> bool:
    """Must GUP stop because of a signal?

    Source: gup_signal_pending, mm/gup.c, 6.12
    Context: none
    Returns: True for a fatal signal, and for any signal with FOLL_INTERRUPTIBLE
    Left out: nothing
    """
    if current.fatal_signal_pending:
        return True
    if foll_flags & FOLL_INTERRUPTIBLE == 0:
        return False
    return current.signal_pending


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
        if not mmap_read_lock_killable(mm):  # 8.10.7
            return -EINTR
        current.gup_locked = True
        result = __get_user_pages(mm, address, 1, foll_flags | FOLL_TRIED)  # 8.10.8
        if current.gup_locked:
            return result


def __get_user_pages_locked(mm: MM, start: Address, nr_pages: Address, foll_flags: foll_t) -> gup_t:
    """GUP over a range, taking mmap_lock again after each fault that released it.

    Source: __get_user_pages_locked, mm/gup.c, 6.12
    Context: mmap_lock held for read if current.gup_locked, else taken and released here
    Returns: pages done, or 0 (FOLL_NOWAIT), or a negative error if none
    Left out: FOLL_PIN's mm flag
    """
    must_unlock = False
    if not current.gup_locked:
        if not mmap_read_lock_killable(mm):
            return -EAGAIN
        current.gup_locked = True
        must_unlock = True
    done: Address = 0
    failed: gup_t = 0
    while done < nr_pages:
        result = __get_user_pages(mm, start + done, nr_pages - done, foll_flags)
        if result > 0:
            done += result
        if current.gup_locked or foll_flags & FOLL_UNLOCKABLE == 0:
            failed = min(result, 0)
            break
        must_unlock = True
        result = gup_retry_page(mm, start + done, foll_flags)
        if result != 1:
            failed = result
            break
        done += 1  # 8.10.9
    if must_unlock and current.gup_locked:
        mmap_read_unlock(mm)
        current.gup_locked = False
    return done if done > 0 else failed


def get_user_pages_unlocked(start: Address, nr_pages: Address, foll_flags: foll_t) -> gup_t:
    """GUP on the own mm; takes and releases mmap_lock.

    Source: get_user_pages_unlocked, mm/gup.c, 6.12
    Context: no fault lock held; sleeps
    Returns: pages done, or a negative error
    Left out: nothing
    """
    current.gup_locked = False
    return __get_user_pages_locked(current.mm, start, nr_pages, foll_flags | FOLL_UNLOCKABLE)


def get_user_pages_remote(mm: MM, start: Address, nr_pages: Address, foll_flags: foll_t, unlockable: bool) -> gup_t:
    """GUP on another mm whose mmap_lock the caller holds for read.

    Source: get_user_pages_remote, pin_user_pages_remote, mm/gup.c, 6.12
    Context: mmap_lock of mm held for read; if unlockable see current.gup_locked afterwards
    Returns: pages done, or a negative error
    Left out: nothing
    """
    current.gup_locked = True
    flags: foll_t = foll_flags | FOLL_REMOTE
    if unlockable:
        flags |= FOLL_UNLOCKABLE
    return __get_user_pages_locked(mm, start, nr_pages, flags)


def fixup_user_fault(address: Address, write: bool) -> bool:
    """Resolve a fault for a caller that holds mmap_lock and cannot use GUP (futex).

    Source: fixup_user_fault, mm/gup.c, 6.12
    Context: mmap_lock of current.mm held for read before and after
    Returns: True if the page was faulted in
    Left out: RETRY_NOWAIT callers (s390 6.12, broken there: spec 8.11)
    """
    fault_flags: fault_flag_t = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE
    if write:
        fault_flags |= FAULT_FLAG_WRITE
    while True:
        vma = vma_lookup(current.mm, address)
        if vma is None:
            return False
        if access_error(vma, write):
            return False
        if current.fatal_signal_pending:
            return False
        result = handle_mm_fault(vma, address, fault_flags)
        if result & VM_FAULT_COMPLETED:
            mmap_read_lock(current.mm)
            return True
        if result & VM_FAULT_ERROR:
            return False
        if result & VM_FAULT_RETRY == 0:
            return True
        mmap_read_lock(current.mm)
        fault_flags |= FAULT_FLAG_TRIED

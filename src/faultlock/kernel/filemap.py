# SPDX-License-Identifier: GPL-2.0-only
"""filemap_fault, as Linux has it without the RFC: release the fault lock around I/O (mm/filemap.c).

`# F23` is the step of the specification that a line is.  Two pieces of the kernel's local
state live in the thread, so that policies and properties see them:

    current.pinned_file   the kernel's `fpin`; when set, the fault lock has been released
    current.vmf_vma       None once the fault lock is released: no use of the VMA after that
"""


@atomic
def get_file(file: File):
    """Take a file reference, so that the file outlives the VMA.

    Source: get_file, include/linux/fs.h, 6.12
    Context: fault lock held (the VMA's own reference protects the file until here)
    Returns: nothing
    Left out: nothing
    """
    assert file.f_count > 0, "S7 VMA use after release: a reference is taken to a file that is gone"
    file.f_count += 1
    current.pinned_file = file


@atomic
def fput(file: File):
    """Drop the file reference that get_file took.

    Source: fput, fs/file_table.c, 6.12
    Context: any
    Returns: nothing
    Left out: the final release of the file
    """
    assert current.pinned_file == file, "S4 lock balance: file reference dropped that is not held"
    file.f_count -= 1
    current.pinned_file = None


@atomic
def fault_flag_allow_retry_first() -> bool:
    """May this attempt release the fault lock?  Only the first one.

    Source: fault_flag_allow_retry_first, include/linux/mm_types.h, 6.12
    Context: in a fault
    Returns: True if ALLOW_RETRY is set and TRIED is not
    Left out: nothing
    """
    return (current.vmf_flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED)) == FAULT_FLAG_ALLOW_RETRY


def maybe_unlock_mmap_for_io():
    """Pin the file and release the fault lock, on the first attempt (spec: U()).

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12
    Context: fault lock held, or released by an earlier call; released if allowed
    Returns: nothing; current.pinned_file is set once the lock is released
    Left out: nothing
    """
    if current.pinned_file is not None:
        return
    if not fault_flag_allow_retry_first():
        return
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return
    get_file(current.vmf_vma.vm_file)
    release_fault_lock()


# ---- reading one folio ------------------------------------------------------------------------------


@atomic
def shrink_readahead_size_eio(file: File):
    """A read error: make the windows of this open file smaller.

    Source: shrink_readahead_size_eio, mm/filemap.c, 6.12
    Context: unlocked
    Returns: nothing
    Left out: nothing
    """
    file.ra_pages = file.ra_pages // 4
    current.read_failed = True


def filemap_read_folio(file: File, folio: Folio) -> errno_t:
    """Read one folio and wait for it.

    Source: filemap_read_folio, mm/filemap.c, 6.12
    Context: folio locked and referenced; afterwards the folio lock is not ours; sleeps, killable
    Returns: 0, -EINTR (killed), -EIO
    Left out: errors of the submission
    """
    cpu("read_folio")
    read_folio(folio)
    if not folio_wait_locked_killable(folio):
        return -EINTR
    if folio.uptodate:
        return 0
    shrink_readahead_size_eio(file)
    return -EIO


# ---- the fault ----------------------------------------------------------------------------------------


def lock_folio_maybe_drop_mmap(folio: Folio) -> bool:
    """Take the folio lock; release the fault lock before waiting for it.

    Source: lock_folio_maybe_drop_mmap, mm/filemap.c, 6.12
    Context: folio referenced; sleeps: killable with FAULT_FLAG_KILLABLE, else uninterruptible
    Returns: True: folio locked; False: answer RETRY (fault lock released unless RETRY_NOWAIT)
    Left out: signals blocked by OCFS2 and Ceph around the fault
    """
    if folio_trylock(folio):  # F20
        return True
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:  # F21
        return False
    maybe_unlock_mmap_for_io()  # F22
    if (current.vmf_flags & FAULT_FLAG_KILLABLE) == 0:
        __folio_lock(folio)
        return True
    if __folio_lock_killable(folio):  # F23
        return True
    if current.pinned_file is None:
        release_fault_lock()
    return False


@atomic
def filemap_fault_recheck_pte_none() -> bool:
    """Has somebody mapped the address of a locked VMA meanwhile?

    Source: filemap_fault_recheck_pte_none, mm/filemap.c, 6.12
    Context: fault lock held; PTL inside
    Returns: True if the PTE is still empty, or the check does not apply
    Left out: nothing
    """
    if (current.vmf_flags & FAULT_FLAG_ORIG_PTE_VALID) == 0:
        return True
    vma = current.vmf_vma
    if (vma.vm_flags & VM_LOCKED) == 0:
        return True
    return not pte_present(vma.vm_mm, current.vmf_address)


def filemap_fault_retry(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The end of a fault that has to be redone: give everything back.

    Source: out_retry of filemap_fault, mm/filemap.c, 6.12
    Context: fault lock released (or RETRY_NOWAIT); drops folio, invalidate_lock, file reference
    Returns: ret | VM_FAULT_RETRY
    Left out: nothing
    """
    if folio is not None:  # F40
        folio_put(folio)
    if invalidate_locked:
        filemap_invalidate_unlock_shared(mapping)
    if current.pinned_file is not None:
        fput(current.pinned_file)
    cpu("fault_retry")
    emit("FAULT_REDO")
    return ret | VM_FAULT_RETRY


def filemap_fault_retry_locked(mapping: Mapping, folio: Folio, invalidate_locked: bool, ret: vm_fault_t) -> vm_fault_t:
    """The page is there, but the fault lock was released on the way: redo the fault.

    Source: filemap_fault, before out_retry, mm/filemap.c, 6.12
    Context: folio locked; fault lock released
    Returns: ret | VM_FAULT_RETRY
    Left out: nothing
    """
    folio_unlock(folio)
    return filemap_fault_retry(mapping, folio, invalidate_locked, ret)


def filemap_fault() -> vm_fault_t:
    """Find the page of a file-mapped address, reading it if necessary.

    Source: filemap_fault, mm/filemap.c, 6.12
    Context: fault lock held; RETRY: released; other results: held
    Returns: VM_FAULT_LOCKED with current.vmf_page locked and referenced; SIGBUS, OOM, NOPAGE, RETRY; | MAJOR
    Left out: DAX, swap-backed files, hardware poison, GFS2's cluster lock around the fault
    """
    file = current.vmf_vma.vm_file
    mapping = file.f_mapping
    index = current.vmf_pgoff
    ret = 0
    invalidate_locked = False
    cpu("filemap_fault")
    if filemap_beyond_eof(mapping, index):  # F1
        return VM_FAULT_SIGBUS
    folio = filemap_get_entry(mapping, index)  # F2
    find = folio is None
    if folio is not None:
        if (current.vmf_flags & FAULT_FLAG_TRIED) == 0:  # F3
            do_async_mmap_readahead(file, folio)
        if not folio.uptodate:  # F4
            filemap_invalidate_lock_shared(mapping)
            invalidate_locked = True
    else:
        if not filemap_fault_recheck_pte_none():  # F10
            return VM_FAULT_NOPAGE
        emit("PGMAJFAULT", 1 if (current.vmf_flags & FAULT_FLAG_TRIED) != 0 else 0)  # F11
        ret = VM_FAULT_MAJOR
        do_sync_mmap_readahead(file)  # F12

    while True:
        if find:
            if not invalidate_locked:
                filemap_invalidate_lock_shared(mapping)  # F13
                invalidate_locked = True
            folio = __filemap_get_folio(mapping, index, FGP_CREAT | FGP_FOR_MMAP)  # F14
            if folio is None:
                if current.pinned_file is not None:  # F15
                    return filemap_fault_retry(mapping, None, invalidate_locked, ret)
                filemap_invalidate_unlock_shared(mapping)
                return VM_FAULT_OOM
        find = True
        if not lock_folio_maybe_drop_mmap(folio):  # F5
            return filemap_fault_retry(mapping, folio, invalidate_locked, ret)

        # Truncated or reclaimed while we waited?
        if folio.mapping != mapping:  # F25
            folio_unlock(folio)
            folio_put(folio)
            continue
        if not folio.uptodate:  # F26
            if not invalidate_locked:
                # It was uptodate when we found it, it is not any more: take the lock first.
                folio_unlock(folio)
                folio_put(folio)
                continue
            maybe_unlock_mmap_for_io()  # F30
            error = filemap_read_folio(file, folio)  # F31
            if current.pinned_file is not None:  # F32
                return filemap_fault_retry(mapping, folio, invalidate_locked, ret)
            folio_put(folio)  # F33
            if error == 0 or error == AOP_TRUNCATED_PAGE:
                continue
            filemap_invalidate_unlock_shared(mapping)
            return VM_FAULT_SIGBUS

        # The lock was released somewhere: the VMA may be another one now.
        if current.pinned_file is not None:  # F27
            return filemap_fault_retry_locked(mapping, folio, invalidate_locked, ret)
        if invalidate_locked:  # F28
            filemap_invalidate_unlock_shared(mapping)
        if filemap_beyond_eof(mapping, index):  # F29
            folio_unlock(folio)
            folio_put(folio)
            return VM_FAULT_SIGBUS
        current.vmf_page = folio
        return ret | VM_FAULT_LOCKED

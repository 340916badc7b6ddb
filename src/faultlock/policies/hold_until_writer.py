# SPDX-License-Identifier: GPL-2.0-only
"""hold-until-writer: hold the fault lock over I/O until somebody wants to write.

A fault keeps its lock while it submits and waits.  If nobody comes, it maps the page and
returns: no pin, no RETRY, no second lookup (as hold).  If a writer comes, every fault that
sleeps with the lock pins the file, releases the lock, keeps sleeping for the folio, and is
redone afterwards (as drop-retry).  So a writer waits for a wake-up, not for the disk.

How a reader learns of a writer: a registry of sleepers.  Before a fault sleeps for a folio it
enters a list, per VMA when it holds the VMA lock, per mm when it holds mmap_lock.  A writer
announces itself before it waits (6.15+: by excluding readers of the VMA; else by a flag), then
wakes everybody in the list by setting `writer_arrived`, the second condition of the sleep.
Registering looks for an announced writer under the same spin lock: whichever of the two comes
second sees the other, so no wake-up is lost.  Leaving the list is the sleeper's own business.

What it costs: two list operations under a spin lock for each sleep of a fault (beside a read
from storage: nothing); a pointer per VMA and per mm, two words per thread; for each writer one
look at the list, and one wake-up per sleeper, each of which is a redo under mmap_lock, behind
that writer.  A VMA that is written to all the time gets drop-retry with an extra wake-up.

What it does not remove: a writer still waits for the submission of a read (page allocation,
mapping blocks) and for invalidate_lock, both taken with the fault lock held.
"""


def maybe_unlock_mmap_for_io():
    """Keep the fault lock: it is given up only when a writer comes.  Keep an earlier give-up.

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12, changed
    Context: fault lock held, or given up in an earlier wait
    Returns: nothing
    Left out: nothing
    """
    return


def unlock_fault_lock_for_writer():
    """Pin the file and release the fault lock.

    Source: maybe_unlock_mmap_for_io, mm/internal.h, 6.12
    Context: fault lock held; released
    Returns: nothing; current.pinned_file is set
    Left out: nothing
    """
    get_file(current.vmf_vma.vm_file)
    release_fault_lock()
    current.writer_arrived = False


# ---- the registry -----------------------------------------------------------------------------------


@atomic
def may_give_up_fault_lock() -> bool:
    """Is this a fault that holds its lock and may release it?

    Source: fault_flag_allow_retry_first, include/linux/mm_types.h, 6.12
    Context: any
    Returns: True: a first attempt, not RETRY_NOWAIT, fault lock not given up yet
    Left out: nothing
    """
    if current.vmf_vma is None or current.pinned_file is not None:
        return False
    if (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0:
        return False
    return fault_flag_allow_retry_first()


@atomic
def sleeper_register() -> bool:
    """Enter the list of sleepers, unless a writer has announced itself already.

    Source: none (this policy)
    Context: fault lock held; registry spin lock
    Returns: True: registered; False: give the lock up now
    Left out: nothing
    """
    vma = current.vmf_vma
    current.writer_arrived = False
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
        if vma.exclude_readers:
            return False
        current.sleeper_next = vma.first_sleeper
        vma.first_sleeper = current
    else:
        if vma.vm_mm.writers_announced > 0:
            return False
        current.sleeper_next = vma.vm_mm.first_sleeper
        vma.vm_mm.first_sleeper = current
    return True


@atomic
def sleeper_unregister():
    """Leave the list of sleepers.

    Source: none (this policy)
    Context: fault lock held; registry spin lock
    Returns: nothing
    Left out: nothing
    """
    vma = current.vmf_vma
    by_vma = (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0
    sleeper: Thread = vma.vm_mm.first_sleeper
    if by_vma:
        sleeper = vma.first_sleeper
    if sleeper == current:
        if by_vma:
            vma.first_sleeper = current.sleeper_next
        else:
            vma.vm_mm.first_sleeper = current.sleeper_next
    else:
        while sleeper.sleeper_next != current:
            sleeper = sleeper.sleeper_next
        sleeper.sleeper_next = current.sleeper_next
    current.sleeper_next = None
    # Awake: also after a fatal signal the lock is given up without waiting for the read.
    current.writer_arrived = True


@atomic
def wake_sleepers(first: Thread):
    """Tell every sleeper in a list that a writer has come.

    Source: none (this policy)
    Context: registry spin lock; the writer has announced itself
    Returns: nothing
    Left out: nothing
    """
    sleeper: Thread = first
    while sleeper is not None:
        sleeper.writer_arrived = True
        sleeper = sleeper.sleeper_next


# ---- the sleep ----------------------------------------------------------------------------------------


def folio_wait_bit_common(folio: Folio, wanted: WaitKind, is_killable: bool) -> bool:
    """Wait for the folio; when a writer comes, release the fault lock and go on waiting.

    Source: folio_wait_bit_common, mm/filemap.c, 6.12, changed
    Context: reference held; sleeps; a fatal signal ends the wait when is_killable; may release the fault lock
    Returns: True: locked (wanted EXCLUSIVE) or was unlocked (SHARED); False: killed
    Left out: thrashing accounting
    """
    kind = wanted
    unfairness = PAGE_LOCK_UNFAIRNESS
    while True:
        if wanted == WaitKind.EXCLUSIVE:
            unfairness -= 1
            if unfairness < 0:
                kind = WaitKind.HANDOFF
        registered = False
        if may_give_up_fault_lock():
            registered = sleeper_register()
            if not registered:
                unlock_fault_lock_for_writer()
        if folio_wait_begin(folio, kind):
            if registered:
                sleeper_unregister()
                current.writer_arrived = False
            return True
        if registered:
            if is_killable:
                wait(current.wait_woken or current.writer_arrived, killable, on=folio)
            else:
                wait(current.wait_woken or current.writer_arrived, on=folio)
            sleeper_unregister()
            if current.wait_woken:
                current.writer_arrived = False
            else:
                unlock_fault_lock_for_writer()
        if is_killable:
            wait(current.wait_woken, killable, on=folio)
        else:
            wait(current.wait_woken, on=folio)
        result = folio_wait_end(folio, kind)
        if result != 0:
            return result == 1


# ---- writers announce themselves ------------------------------------------------------------------------


@atomic
def vma_exclude_readers(vma: VMA):
    """6.15+: from now on no reader gets in, and those asleep with the lock are woken.

    Source: __vma_start_exclude_readers, mm/mmap_lock.c, 7.0, changed
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.exclude_readers = True
    vma.vm_mm.vma_writer_wait = current
    current.wait_woken = False
    wake_sleepers(vma.first_sleeper)


@atomic
def vma_announce_writer(vma: VMA):
    """6.12: the writer will wait for the rw_semaphore of the VMA.

    Source: none (this policy)
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.exclude_readers = True
    wake_sleepers(vma.first_sleeper)


def __vma_start_write(vma: VMA, is_killable: bool) -> bool:
    """Wait for the readers of one VMA, then mark it write-locked.

    Source: __vma_start_write, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0, changed
    Context: mmap_lock held for write; sleeps
    Returns: True: write-locked; False: killed (only when is_killable, 7.0)
    Left out: nothing
    """
    if vma.write_locked:
        return True
    cpu("vma_start_write")
    if KERNEL_VERSION < 615:
        vma_announce_writer(vma)
        down_write(vma.vm_lock)
        with atomic:
            vma_set_write_locked(vma)
            vma.exclude_readers = False
            up_write(vma.vm_lock)
        return True
    vma_exclude_readers(vma)
    if not vma_wait_for_readers(vma, 1, is_killable):
        vma_admit_readers(vma)
        return False
    with atomic:
        vma_set_write_locked(vma)
        vma_admit_readers(vma)
    return True


@atomic
def mmap_announce_writer(mm: MM):
    """A writer will wait for mmap_lock.

    Source: none (this policy)
    Context: any
    Returns: nothing
    Left out: nothing
    """
    mm.writers_announced += 1
    wake_sleepers(mm.first_sleeper)


def mmap_write_lock(mm: MM):
    """Take mmap_lock exclusively; faults asleep with it are woken.

    Source: mmap_write_lock, include/linux/mmap_lock.h, 6.12, changed
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    mmap_announce_writer(mm)
    down_write(mm.mmap_lock)
    mm.writers_announced -= 1
    mmap_lock_acquired(mm, LockMode.WRITE)


def mmap_write_lock_killable(mm: MM) -> bool:
    """Take mmap_lock exclusively unless a fatal signal comes first; faults asleep with it are woken.

    Source: mmap_write_lock_killable, include/linux/mmap_lock.h, 6.12, changed
    Context: sleeps, killable
    Returns: True if taken (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    mmap_announce_writer(mm)
    taken = down_write_killable(mm.mmap_lock)
    mm.writers_announced -= 1
    if not taken:
        return False
    mmap_lock_acquired(mm, LockMode.WRITE)
    return True


# ---- dirty throttling releases the lock as today --------------------------------------------------------


def fault_dirty_shared_page(folio: Folio) -> vm_fault_t:
    """Mark the folio dirty and throttle the writer, without the fault lock as today.

    Source: fault_dirty_shared_page, mm/memory.c, 6.12
    Context: folio locked, unlocked here; COMPLETED: fault lock released
    Returns: 0 or COMPLETED
    Left out: file times; the length of the throttling is the simulator's
    """
    folio.dirty = True
    folio_unlock(folio)
    if DIRTY_EXCEEDED == 1:
        if may_give_up_fault_lock():
            unlock_fault_lock_for_writer()
        balance_dirty_pages()
        if current.pinned_file is not None:
            fput(current.pinned_file)
            return VM_FAULT_COMPLETED
    return 0

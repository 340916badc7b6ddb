# SPDX-License-Identifier: GPL-2.0-only
"""The write side of the per-VMA lock, and detaching a VMA (spec 3.1, 3.2).

Only a holder of mmap_lock for write may write-lock a VMA.  It waits for the readers of that
VMA, one VMA after the other; all write locks of the mm end together with mmap_lock.
"""


@atomic
def vma_set_write_locked(vma: VMA):
    """Mark the VMA write-locked until the mmap_lock writer is done.

    Source: WRITE_ONCE(vma->vm_lock_seq, mm_lock_seq) in __vma_start_write, 6.12
    Context: mmap_lock held for write, no readers inside
    Returns: nothing
    Left out: nothing
    """
    assert vma.vm_mm.mmap_lock.writer == current, "S9 write lock exclusion: a VMA is write-locked without mmap_lock"
    if not vma.write_locked:
        vma.write_locked = True  # 3.1.3
        vma.next_write_locked = vma.vm_mm.write_locked_vmas
        vma.vm_mm.write_locked_vmas = vma  # 3.1.1


@atomic
def vma_end_write_all(mm: MM):
    """End the write locks of all VMAs of mm at once.

    Source: vma_end_write_all, include/linux/mmap_lock.h, 6.12
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    while mm.write_locked_vmas is not None:
        vma = mm.write_locked_vmas
        mm.write_locked_vmas = vma.next_write_locked
        vma.next_write_locked = None
        vma.write_locked = False


@atomic
def vma_forget_write_lock(vma: VMA):
    """Take a detached VMA off the list of write-locked ones before it is freed.

    Source: none (the sequence numbers die with the VMA)
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    if not vma.write_locked:
        return
    mm = vma.vm_mm
    if mm.write_locked_vmas == vma:
        mm.write_locked_vmas = vma.next_write_locked
    else:
        before = mm.write_locked_vmas
        while before.next_write_locked != vma:
            before = before.next_write_locked
        before.next_write_locked = vma.next_write_locked
    vma.next_write_locked = None
    vma.write_locked = False


@atomic
def vma_exclude_readers(vma: VMA):
    """6.15+: from now on no reader gets in.

    Source: __vma_start_exclude_readers, mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.exclude_readers = True
    vma.vm_mm.vma_writer_wait = current
    current.wait_woken = False


@atomic
def vma_readers_left(vma: VMA, base: int) -> bool:
    """6.15+: have all readers left?  Called again after each wake-up.

    Source: rcuwait_wait_event in __vma_start_exclude_readers, mm/mmap_lock.c, 7.0
    Context: readers are excluded
    Returns: True if only `base` references are left
    Left out: nothing
    """
    current.wait_woken = False
    return vma.vm_refcnt == base


@atomic
def vma_admit_readers(vma: VMA):
    """6.15+: the writer no longer excludes readers.

    Source: __vma_end_exclude_readers, mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.exclude_readers = False
    vma.vm_mm.vma_writer_wait = None
    current.wait_woken = False


def vma_wait_for_readers(vma: VMA, base: int, is_killable: bool) -> bool:
    """6.15+: sleep until the readers have left.

    Source: rcuwait_wait_event in __vma_start_exclude_readers, mm/mmap_lock.c, 7.0
    Context: readers are excluded; sleeps
    Returns: True: no readers; False: killed
    Left out: nothing
    """
    while not vma_readers_left(vma, base):
        if is_killable:
            wait(current.wait_woken, killable, on=vma)
            if current.fatal_signal_pending:
                return vma_readers_left(vma, base)
        else:
            wait(current.wait_woken, on=vma)
    return True


def __vma_start_write(vma: VMA, is_killable: bool) -> bool:
    """Wait for the readers of one VMA, then mark it write-locked.

    Source: __vma_start_write, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write; sleeps
    Returns: True: write-locked; False: killed (only when is_killable, 7.0)
    Left out: nothing
    """
    if vma.write_locked:
        return True
    cpu("vma_start_write")
    if KERNEL_VERSION < 615:
        down_write(vma.vm_lock)  # 3.1.4
        with atomic:
            vma_set_write_locked(vma)
            up_write(vma.vm_lock)
        return True
    vma_exclude_readers(vma)  # 3.2.3
    if not vma_wait_for_readers(vma, 1, is_killable):
        vma_admit_readers(vma)
        return False
    with atomic:
        vma_set_write_locked(vma)
        vma_admit_readers(vma)
    return True


def vma_start_write(vma: VMA):
    """Write-lock a VMA.

    Source: vma_start_write, include/linux/mm.h, 6.12; include/linux/mmap_lock.h, 7.0
    Context: mmap_lock held for write; sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    __vma_start_write(vma, False)


def vma_start_write_killable(vma: VMA) -> bool:
    """Write-lock a VMA unless a fatal signal comes first.

    Source: vma_start_write_killable, include/linux/mmap_lock.h, 7.0 (used by dup_mmap only)
    Context: mmap_lock held for write; sleeps, killable
    Returns: True if locked (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    return __vma_start_write(vma, True)


def vma_mark_detached(vma: VMA):
    """The VMA has left the tree: no reader may get in any more.

    Source: vma_mark_detached, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0
    Context: mmap_lock held for write, vma write-locked; sleeps for late readers, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    if KERNEL_VERSION < 615:
        vma.detached = True
        return
    vma.vm_refcnt -= 1  # 3.2.4
    if vma.vm_refcnt == 0:
        return
    vma_exclude_readers(vma)
    vma_wait_for_readers(vma, 0, False)
    vma_admit_readers(vma)


@atomic
def vma_mark_attached(vma: VMA):
    """The VMA enters the tree.

    Source: vma_mark_attached, include/linux/mmap_lock.h, 7.0; vma_mark_detached(vma, false), 6.12
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    vma.detached = False
    vma.vm_refcnt = 1

# SPDX-License-Identifier: GPL-2.0-only
"""The per-VMA lock, in both forms, chosen by KERNEL_VERSION.

6.12: an rw_semaphore beside the VMA; a writer holds it only for an instant, but has to wait
until all readers have left.  6.15 and later: a reference count with a bit that excludes
readers from the moment a writer starts to wait (spec 3.1, 3.2).

# Model: the sequence counters (vm_lock_seq == mm_lock_seq: write-locked) are one bit in the
# VMA; ending all write locks of an mm walks the list of the write-locked ones.  This is the
# same but for the wrap-around of the counters, and keeps the state finite.
"""


@atomic
def vma_lock_readers(vma: VMA) -> int:
    """Number of threads that hold the lock for read.

    Source: none (a sentence of the properties)
    Context: any
    Returns: the number
    Left out: nothing
    """
    if KERNEL_VERSION < 615:
        return vma.vm_lock.readers
    return max(0, vma.vm_refcnt - 1)


@atomic
def vma_acquired(vma: VMA):
    """Record that the current thread holds the VMA lock for read.

    Source: none (ghost state and a lock event)
    Context: vma lock held
    Returns: nothing
    Left out: nothing
    """
    current.holds_vma_lock = vma
    emit("LOCK_ACQUIRED", LOCK_VMA, vma, LockMode.READ)


# ---- readers ----------------------------------------------------------------------------------


@atomic
def vma_lookup_rcu(mm: MM, address: Address) -> VMA:
    """Find the VMA that contains address, with the RCU read lock held afterwards.

    Source: rcu_read_lock, mas_walk, 6.12
    Context: any
    Returns: the VMA, or None (then no RCU read lock is held)
    Left out: a walk that meets the tree between two stores of a split sees old or new, never both
    """
    vma = vma_lookup(mm, address)
    if vma is not None:
        vma.rcu_readers += 1
    return vma


@atomic
def rcu_read_unlock_vma(vma: VMA):
    """End the RCU read side; a VMA freed meanwhile goes back to the pool with its last reader.

    Source: rcu_read_unlock, vm_area_free (call_rcu), kernel/fork.c, 6.12
    Context: vma was returned by vma_lookup_rcu
    Returns: nothing
    Left out: 6.15+ may reuse the memory at once (SLAB_TYPESAFE_BY_RCU); the reader then sees another vm_mm or range and backs out
    """
    vma.rcu_readers -= 1
    if vma.freed and vma.rcu_readers == 0:
        free(vma)


@atomic
def vm_area_free(vma: VMA):
    """Free a VMA that is out of the tree, after a grace period.

    Source: vm_area_free, kernel/fork.c, 6.12
    Context: vma detached, no lock readers
    Returns: nothing
    Left out: nothing
    """
    if vma.rcu_readers == 0:
        free(vma)
    else:
        vma.freed = True


@atomic
def vma_refcount_get(vma: VMA) -> int:
    """6.15+: count a reader in.

    Source: __refcount_inc_not_zero_limited_acquire in vma_start_read, mm/mmap_lock.c, 7.0
    Context: RCU read lock
    Returns: 1 counted in; 0 readers are excluded; -1 the VMA is detached
    Left out: the limit of 2^30 readers
    """
    if vma.exclude_readers:
        return 0
    if vma.vm_refcnt == 0:
        return -1
    vma.vm_refcnt += 1
    return 1


@atomic
def vma_refcount_put(vma: VMA):
    """6.15+: count a reader out; the last one wakes the writer that waits.

    Source: vma_refcount_put, include/linux/mmap_lock.h, 7.0
    Context: counted in
    Returns: nothing
    Left out: nothing
    """
    assert vma.vm_refcnt > 0, "S4 lock balance: VMA read lock released that is not held"
    vma.vm_refcnt -= 1
    if vma.exclude_readers and vma.vm_refcnt <= 1:
        writer = vma.vm_mm.vma_writer_wait
        if writer is not None:
            writer.wait_woken = True


def vma_start_read(vma: VMA) -> int:
    """Try to take the VMA lock for read.

    Source: vma_start_read, include/linux/mm.h, 6.12; mm/mmap_lock.c, 7.0
    Context: RCU read lock; never sleeps
    Returns: 1 locked; 0 failed; -1 detached (6.15+)
    Left out: the vm_mm comparison of 6.15+ (a freed VMA is not reused under a reader here)
    """
    if vma.write_locked:
        return 0
    if KERNEL_VERSION < 615:
        if not down_read_trylock(vma.vm_lock):
            return 0
        if vma.write_locked:
            up_read(vma.vm_lock)
            return 0
        return 1
    counted = vma_refcount_get(vma)
    if counted != 1:
        return counted
    if vma.write_locked:
        vma_refcount_put(vma)
        return 0
    return 1


@atomic
def vma_drop_read(vma: VMA):
    """Leave the read side, whichever form the lock has.

    Source: vma_end_read, include/linux/mm.h, 6.12; include/linux/mmap_lock.h, 7.0
    Context: vma lock held for read
    Returns: nothing
    Left out: nothing
    """
    if KERNEL_VERSION < 615:
        up_read(vma.vm_lock)
    else:
        vma_refcount_put(vma)


@atomic
def vma_end_read(vma: VMA):
    """Release the VMA lock of a fault.

    Source: vma_end_read, include/linux/mm.h, 6.12; include/linux/mmap_lock.h, 7.0
    Context: vma lock held for read by current; released
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_vma_lock == vma, "S4 lock balance: VMA read lock released by a thread that does not hold it"
    current.holds_vma_lock = None
    emit("LOCK_RELEASED", LOCK_VMA, vma, LockMode.READ)
    vma_drop_read(vma)


@atomic
def vma_contains(vma: VMA, address: Address) -> bool:
    """Is address inside vma?

    Source: none
    Context: vma stable, or RCU
    Returns: True if vm_start <= address < vm_end
    Left out: nothing
    """
    return vma.vm_start <= address and address < vma.vm_end


def lock_vma_under_rcu(mm: MM, address: Address) -> VMA:
    """Find and read-lock the VMA at address without touching mmap_lock.

    Source: lock_vma_under_rcu, mm/memory.c, 6.12; mm/mmap_lock.c, 7.0
    Context: no lock held; never sleeps; returns with the VMA lock held
    Returns: the VMA, or None: take mmap_lock instead
    Left out: nothing
    """
    while True:
        vma = vma_lookup_rcu(mm, address)
        cpu("vma_lookup")
        if vma is None:
            break
        locked = vma_start_read(vma)
        gone = locked == -1
        if KERNEL_VERSION < 615:
            if locked == 1:
                gone = vma.detached
                if gone:
                    vma_drop_read(vma)
        if gone:
            rcu_read_unlock_vma(vma)
            emit("VMA_LOCK_MISS")
            continue
        if locked == 0:
            rcu_read_unlock_vma(vma)
            break
        if not vma_contains(vma, address):
            vma_drop_read(vma)
            rcu_read_unlock_vma(vma)
            break
        with atomic:
            rcu_read_unlock_vma(vma)
            vma_acquired(vma)
        return vma
    emit("VMA_LOCK_ABORT")
    return None


# ---- the writer ---------------------------------------------------------------------------------


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
        vma.write_locked = True
        vma.next_write_locked = vma.vm_mm.write_locked_vmas
        vma.vm_mm.write_locked_vmas = vma


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
        down_write(vma.vm_lock)
        with atomic:
            vma_set_write_locked(vma)
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
    vma.vm_refcnt -= 1
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


@atomic
def vma_start_read_locked(vma: VMA) -> bool:
    """Read-lock a VMA while mmap_lock is held for read: it cannot meet a writer.

    Source: vma_start_read_locked, include/linux/mmap_lock.h, 7.0
    Context: mmap_lock held for read
    Returns: True if locked
    Left out: nothing
    """
    if KERNEL_VERSION < 615:
        if not down_read_trylock(vma.vm_lock):
            return False
    else:
        if vma_refcount_get(vma) != 1:
            return False
    vma_acquired(vma)
    return True

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
    vma.vm_refcnt -= 1  # 3.2.2
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
        if not down_read_trylock(vma.vm_lock):  # 3.1.5
            return 0
        if vma.write_locked:
            up_read(vma.vm_lock)
            return 0
        return 1
    counted = vma_refcount_get(vma)  # 3.2.1
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
        up_read(vma.vm_lock)  # 3.1.7
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
            emit("VMA_LOCK_MISS")  # 3.1.8
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
        if vma_refcount_get(vma) != 1:  # 3.2.5
            return False
    vma_acquired(vma)
    return True

# SPDX-License-Identifier: GPL-2.0-only
"""mmap_lock, and which lock a fault holds.

Every function that may sleep says so twice: killable or not, because that decides whether a
task can be killed while it waits (spec 3.3, list of killable acquisitions).
"""


@atomic
def vma_lookup(mm: MM, address: Address) -> VMA:
    """The VMA that contains address.

    Source: vma_lookup, mas_walk, 6.12
    Context: mmap_lock, or RCU
    Returns: the VMA, or None
    Left out: nothing
    """
    vma = find_vma(mm, address)
    if vma is None or address < vma.vm_start:
        return None
    return vma


@atomic
def vma_slot(mm: MM, address: Address) -> int:
    """Position of the first VMA whose end lies above address.

    Source: none (a binary search of the sorted array that stands for the maple tree)
    Context: mmap_lock, or RCU
    Returns: 0 .. map_count; map_count when there is none
    Left out: nothing
    """
    low = 0
    high = mm.map_count
    while low < high:
        middle = (low + high) // 2
        if mm.vmas[middle].vm_end > address:
            high = middle
        else:
            low = middle + 1
    return low


@atomic
def find_vma(mm: MM, address: Address) -> VMA:
    """The first VMA whose end lies above address (it may start above it too).

    Source: find_vma, mm/mmap.c, 6.12
    Context: mmap_lock, or RCU
    Returns: the VMA, or None
    Left out: nothing
    """
    slot = vma_slot(mm, address)
    if slot == mm.map_count:
        return None
    return mm.vmas[slot]


@atomic
def vma_next(mm: MM, vma: VMA) -> VMA:
    """The VMA after vma in address order.

    Source: vma_next, include/linux/mm.h, 6.12
    Context: mmap_lock
    Returns: the VMA, or None
    Left out: nothing
    """
    return find_vma(mm, vma.vm_end)


@atomic
def vma_insert(mm: MM, vma: VMA):
    """Put a VMA into the tree.

    Source: vma_iter_store, vma_link, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: nothing
    Left out: allocation of tree nodes
    """
    slot = vma_slot(mm, vma.vm_start)
    position = mm.map_count
    while position > slot:
        mm.vmas[position] = mm.vmas[position - 1]
        position -= 1
    mm.vmas[slot] = vma
    mm.map_count += 1
    vma_mark_attached(vma)


@atomic
def vma_erase(mm: MM, vma: VMA):
    """Take a VMA out of the tree.

    Source: vma_iter_clear, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: nothing
    Left out: nothing
    """
    position = vma_slot(mm, vma.vm_start)
    assert mm.vmas[position] == vma, "S8 VMA stability: the VMA to erase is not in the tree"
    mm.map_count -= 1
    while position < mm.map_count:
        mm.vmas[position] = mm.vmas[position + 1]
        position += 1
    mm.vmas[mm.map_count] = None


# ---- taking and releasing -----------------------------------------------------------------------


@atomic
def mmap_lock_acquired(mm: MM, mode: LockMode):
    """Record that the current thread holds mmap_lock.

    Source: none (ghost state and a lock event)
    Context: mmap_lock held
    Returns: nothing
    Left out: nothing
    """
    current.holds_mmap_lock = mm
    current.mmap_lock_mode = mode
    emit("LOCK_ACQUIRED", LOCK_MMAP, mm, mode)


@atomic
def may_block_on_mmap_lock(mm: MM):
    """A holder of a VMA read lock of mm may only try mmap_lock, never sleep on it.

    Source: none (property S15)
    Context: before each blocking acquisition
    Returns: nothing
    Left out: nothing
    """
    if current.holds_vma_lock is not None:
        assert current.holds_vma_lock.vm_mm != mm, "S15 no blocking on mmap_lock with a VMA read lock held"


def mmap_read_lock(mm: MM):
    """Take mmap_lock shared.

    Source: mmap_read_lock, include/linux/mmap_lock.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    down_read(mm.mmap_lock)
    mmap_lock_acquired(mm, LockMode.READ)


def mmap_read_lock_killable(mm: MM) -> bool:
    """Take mmap_lock shared unless a fatal signal comes first.

    Source: mmap_read_lock_killable, include/linux/mmap_lock.h, 6.12
    Context: sleeps, killable
    Returns: True if taken (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    if not down_read_killable(mm.mmap_lock):
        return False
    mmap_lock_acquired(mm, LockMode.READ)
    return True


@atomic
def mmap_read_trylock(mm: MM) -> bool:
    """Take mmap_lock shared if no writer holds it or waits for it.

    Source: mmap_read_trylock, include/linux/mmap_lock.h, 6.12
    Context: does not sleep
    Returns: True if taken
    Left out: nothing
    """
    if not down_read_trylock(mm.mmap_lock):
        return False
    mmap_lock_acquired(mm, LockMode.READ)
    return True


@atomic
def mmap_read_unlock(mm: MM):
    """Release mmap_lock held shared.

    Source: mmap_read_unlock, include/linux/mmap_lock.h, 6.12
    Context: held shared by current
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_mmap_lock == mm and current.mmap_lock_mode == LockMode.READ, "S4 lock balance: mmap_lock released that is not held for read"
    current.holds_mmap_lock = None
    current.mmap_lock_mode = LockMode.NONE
    emit("LOCK_RELEASED", LOCK_MMAP, mm, LockMode.READ)
    up_read(mm.mmap_lock)


def mmap_write_lock(mm: MM):
    """Take mmap_lock exclusively.

    Source: mmap_write_lock, include/linux/mmap_lock.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    down_write(mm.mmap_lock)
    mmap_lock_acquired(mm, LockMode.WRITE)


def mmap_write_lock_killable(mm: MM) -> bool:
    """Take mmap_lock exclusively unless a fatal signal comes first.

    Source: mmap_write_lock_killable, include/linux/mmap_lock.h, 6.12
    Context: sleeps, killable
    Returns: True if taken (the kernel: 0), False for -EINTR
    Left out: nothing
    """
    may_block_on_mmap_lock(mm)
    cpu("mmap_lock")
    if not down_write_killable(mm.mmap_lock):
        return False
    mmap_lock_acquired(mm, LockMode.WRITE)
    return True


@atomic
def mmap_write_unlock(mm: MM):
    """End all VMA write locks of mm, then release mmap_lock held exclusively.

    Source: mmap_write_unlock, include/linux/mmap_lock.h, 6.12
    Context: held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    vma_end_write_all(mm)  # 3.1.2, 3.2.6
    current.holds_mmap_lock = None
    current.mmap_lock_mode = LockMode.NONE
    emit("LOCK_RELEASED", LOCK_MMAP, mm, LockMode.WRITE)
    up_write(mm.mmap_lock)


@atomic
def mmap_write_downgrade(mm: MM):
    """End all VMA write locks of mm, then hold mmap_lock shared.

    Source: mmap_write_downgrade, include/linux/mmap_lock.h, 6.12
    Context: held exclusively by current; afterwards shared
    Returns: nothing
    Left out: nothing
    """
    vma_end_write_all(mm)
    emit("LOCK_RELEASED", LOCK_MMAP, mm, LockMode.WRITE)
    downgrade_write(mm.mmap_lock)
    mmap_lock_acquired(mm, LockMode.READ)


# ---- the fault lock -----------------------------------------------------------------------------


@atomic
def fault_lock_held() -> bool:
    """Does the current thread hold the lock its fault runs under?

    Source: none (a sentence of the properties)
    Context: in a fault
    Returns: True if the VMA lock (FAULT_FLAG_VMA_LOCK) or mmap_lock is held
    Left out: nothing
    """
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
        return current.holds_vma_lock is not None
    return current.holds_mmap_lock is not None


@atomic
def release_fault_lock():
    """Release whichever lock the fault holds.  The VMA must not be used after this.

    Source: release_fault_lock, include/linux/mm.h, 6.12
    Context: fault lock held; released
    Returns: nothing
    Left out: nothing
    """
    vma = current.vmf_vma
    # Model: the fault forgets the VMA here, so that any later use of it is found (S7).
    current.vmf_vma = None
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0:
        vma_end_read(vma)
    else:
        mmap_read_unlock(vma.vm_mm)

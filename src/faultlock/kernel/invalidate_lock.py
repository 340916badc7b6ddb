# SPDX-License-Identifier: GPL-2.0-only
"""invalidate_lock: who adds and fills folios against who removes them (include/linux/fs.h).
"""


@atomic
def invalidate_lock_acquired(mapping: Mapping, mode: LockMode):
    """Record that the current thread holds invalidate_lock.

    Source: none (ghost state and a lock event)
    Context: invalidate_lock held
    Returns: nothing
    Left out: nothing
    """
    current.holds_invalidate_lock = mapping
    current.invalidate_lock_mode = mode
    emit("LOCK_ACQUIRED", LOCK_INVALIDATE, mapping, mode)


@atomic
def invalidate_lock_released(mapping: Mapping, mode: LockMode):
    """Record that the current thread no longer holds invalidate_lock.

    Source: none (ghost state and a lock event)
    Context: invalidate_lock held by current
    Returns: nothing
    Left out: nothing
    """
    assert current.holds_invalidate_lock == mapping and current.invalidate_lock_mode == mode, "S4 lock balance: invalidate_lock released that is not held"
    current.holds_invalidate_lock = None
    current.invalidate_lock_mode = LockMode.NONE
    emit("LOCK_RELEASED", LOCK_INVALIDATE, mapping, mode)


def filemap_invalidate_lock_shared(mapping: Mapping):
    """"I may add folios and fill them."

    Source: filemap_invalidate_lock_shared, include/linux/fs.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    down_read(mapping.invalidate_lock)
    invalidate_lock_acquired(mapping, LockMode.READ)


@atomic
def filemap_invalidate_unlock_shared(mapping: Mapping):
    """Release invalidate_lock held shared.

    Source: filemap_invalidate_unlock_shared, include/linux/fs.h, 6.12
    Context: held shared by current
    Returns: nothing
    Left out: nothing
    """
    invalidate_lock_released(mapping, LockMode.READ)
    up_read(mapping.invalidate_lock)


def filemap_invalidate_lock(mapping: Mapping):
    """"I am removing folios and the blocks under them."

    Source: filemap_invalidate_lock, include/linux/fs.h, 6.12
    Context: sleeps, uninterruptible
    Returns: nothing
    Left out: nothing
    """
    down_write(mapping.invalidate_lock)
    invalidate_lock_acquired(mapping, LockMode.WRITE)


@atomic
def filemap_invalidate_unlock(mapping: Mapping):
    """Release invalidate_lock held exclusively.

    Source: filemap_invalidate_unlock, include/linux/fs.h, 6.12
    Context: held exclusively by current
    Returns: nothing
    Left out: nothing
    """
    invalidate_lock_released(mapping, LockMode.WRITE)
    up_write(mapping.invalidate_lock)

# SPDX-License-Identifier: GPL-2.0-only
"""setattr-grow-keeps-lock: making a file longer leaves i_rwsem held.

Must be found as: S4 in fault+truncate-partial
"""

base = "drop-retry"


def ext4_setattr(mapping: Mapping, size: Index, partial: bool):
    """truncate(2) on a file system that uses invalidate_lock.

    Source: ext4_setattr, fs/ext4/inode.c, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: journal, orphan list, quota
    """
    inode_lock(mapping)  # 8.1.1
    if size > mapping.i_size:
        mapping.i_size = size
        return
    inode_dio_wait(mapping)  # 8.1.2
    filemap_invalidate_lock(mapping)  # 8.1.3
    cpu("journal_start")
    mapping.i_size = size  # 8.1.4
    truncate_pagecache(mapping, size, partial)
    cpu("free_blocks")  # 8.1.8
    filemap_invalidate_unlock(mapping)  # 8.1.9
    inode_unlock(mapping)

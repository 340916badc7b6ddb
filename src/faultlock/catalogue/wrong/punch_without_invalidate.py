# SPDX-License-Identifier: GPL-2.0-only
"""punch-without-invalidate: a hole is punched without invalidate_lock.

Must be found as: S11 in fault+punch
"""

base = "drop-retry"


def ext4_punch_hole(mapping: Mapping, start: Index, end: Index):
    """fallocate(FALLOC_FL_PUNCH_HOLE or FALLOC_FL_ZERO_RANGE): i_size stays.

    Source: ext4_punch_hole, ext4_zero_range, fs/ext4, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: journal; zero range converts blocks where this frees them
    """
    inode_lock(mapping)
    inode_dio_wait(mapping)  # 8.2.1
    truncate_pagecache_range(mapping, start, end)  # 8.2.4
    cpu("free_blocks")  # 8.2.5
    inode_unlock(mapping)

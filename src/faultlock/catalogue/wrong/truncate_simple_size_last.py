# SPDX-License-Identifier: GPL-2.0-only
"""truncate-simple-size-last: truncate of a simple file system lowers i_size last.

Must be found as: S10 in fault+truncate-simple
"""

base = "drop-retry"


def truncate_setsize(mapping: Mapping, size: Index, partial: bool):
    """truncate(2) on a simple file system: no invalidate_lock.

    Source: truncate_setsize, mm/truncate.c, 6.12
    Context: nothing held before and after
    Returns: nothing
    Left out: nothing
    """
    inode_lock(mapping)
    with atomic:
        shrinks = size < mapping.i_size
    if shrinks:
        truncate_pagecache(mapping, size, partial)
        mapping.i_size = size
    inode_unlock(mapping)

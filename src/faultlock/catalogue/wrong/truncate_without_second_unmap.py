# SPDX-License-Identifier: GPL-2.0-only
"""truncate-without-second-unmap: truncate does not unmap again what was copied on write meanwhile.

Must be found as: S10 in cow-fault+truncate
"""

base = "drop-retry"


def truncate_pagecache(mapping: Mapping, start: Index, partial: bool):
    """Unmap and empty everything from start on.

    Source: truncate_pagecache, mm/truncate.c, 6.12
    Context: as truncate_inode_pages_range
    Returns: nothing
    Left out: nothing
    """
    unmap_mapping_range(mapping, start, N_FILE_PAGES, True)  # 8.1.5
    truncate_inode_pages_range(mapping, start, N_FILE_PAGES, partial)

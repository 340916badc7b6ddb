# SPDX-License-Identifier: GPL-2.0-only
"""truncate-without-unmap: truncate takes a folio out of the cache that is still mapped.

Must be found as: S1 in fault+truncate-simple
"""

base = "drop-retry"


def truncate_inode_folio(mapping: Mapping, folio: Folio):
    """Unmap a folio, cancel its dirtiness and take it out of the cache.

    Source: truncate_inode_folio, truncate_cleanup_folio, mm/truncate.c, 6.12
    Context: folio locked and referenced
    Returns: nothing
    Left out: private data of the file system
    """
    if folio.mapping != mapping:
        return
    cpu("truncate_folio")
    filemap_remove_folio(folio, None)

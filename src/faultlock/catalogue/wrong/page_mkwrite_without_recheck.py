# SPDX-License-Identifier: GPL-2.0-only
"""page-mkwrite-without-recheck: ->page_mkwrite locks the folio and does not look whether it is still in the file.

Must be found as: S1 in mkwrite+truncate
"""

base = "drop-retry"


def do_page_mkwrite(folio: Folio) -> vm_fault_t:
    """Tell the file system that the page becomes writable.

    Source: do_page_mkwrite, mm/memory.c; filemap_page_mkwrite, mm/filemap.c, 6.12
    Context: folio referenced, not locked; sleeps for the folio lock, uninterruptible
    Returns: LOCKED: folio locked, still in the file; NOPAGE: it was truncated, fault again
    Left out: transactions, waiting for writeback (stable pages)
    """
    mapping = current.vmf_vma.vm_file.f_mapping
    cpu("page_mkwrite")
    folio_lock(folio)
    return VM_FAULT_LOCKED

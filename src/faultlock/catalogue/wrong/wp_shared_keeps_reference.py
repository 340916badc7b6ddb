# SPDX-License-Identifier: GPL-2.0-only
"""wp-shared-keeps-reference: a page that was truncated before it became writable keeps its reference.

Must be found as: S3 in mkwrite-mapped+truncate
"""

base = "drop-retry"


def wp_page_shared(folio: Folio) -> vm_fault_t:
    """Write to a shared page that is mapped read-only.

    Source: wp_page_shared, finish_mkwrite_fault, mm/memory.c, 6.12
    Context: fault lock held; folio referenced, put here
    Returns: 0, RETRY, NOPAGE, COMPLETED
    Left out: nothing
    """
    if current.vmf_vma.page_mkwrite:
        ret = vmf_can_call_fault()
        if ret == 0:
            ret = do_page_mkwrite(folio)
        if (ret & VM_FAULT_LOCKED) == 0:
            return ret
    else:
        folio_lock(folio)
    if not pte_make_writable(folio):
        folio_unlock(folio)
        folio_put(folio)
        return VM_FAULT_NOPAGE
    ret = fault_dirty_shared_page(folio)
    folio_put(folio)
    return ret

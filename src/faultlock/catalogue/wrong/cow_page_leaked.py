# SPDX-License-Identifier: GPL-2.0-only
"""cow-page-leaked: a copy on write that fails keeps the page for the copy.

Must be found as: S3 in cow-mapped+truncate
"""

base = "drop-retry"


def do_cow_fault() -> vm_fault_t:
    """Write to a private mapping: copy the file's page.

    Source: do_cow_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY: released
    Returns: 0, NOPAGE, RETRY, errors; | MAJOR
    Left out: machine checks while copying
    """
    ret = vmf_can_call_fault()  # 4.3c1
    if ret != 0:
        return ret
    ret = vmf_anon_prepare()  # 4.3c2
    if ret != 0:
        return ret
    if not alloc_private_page():  # 4.3c3
        return VM_FAULT_OOM
    current.vmf_cow_page = True
    cpu("pte_alloc_one", page_table_missing(current.vmf_address))
    ret = __do_fault()  # 4.3c4
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:
        return ret
    cpu("copy_page")  # 4.3c5
    ret |= finish_fault_pte(True)  # 4.3c6
    folio_unlock(current.vmf_page)  # 4.3c7
    folio_put(current.vmf_page)
    free_cow_page()
    return ret

# SPDX-License-Identifier: GPL-2.0-only
"""Faults that end in private memory: anonymous pages, copies on write (mm/memory.c; spec 4.3).
"""


def vmf_anon_prepare() -> vm_fault_t:
    """Make sure that the VMA has an anon_vma before a private page is mapped.

    Source: __vmf_anon_prepare, mm/memory.c, 6.12
    Context: fault lock held; tries mmap_lock under the VMA lock, never sleeps for it; RETRY: VMA lock released
    Returns: 0, or VM_FAULT_RETRY
    Left out: out of memory
    """
    if current.vmf_vma.anon_vma:
        return 0
    if (current.vmf_flags & FAULT_FLAG_VMA_LOCK) == 0:
        current.vmf_vma.anon_vma = True
        return 0
    if not mmap_read_trylock(current.vmf_vma.vm_mm):
        release_fault_lock()
        return VM_FAULT_RETRY
    cpu("anon_vma_prepare")
    current.vmf_vma.anon_vma = True
    mmap_read_unlock(current.vmf_vma.vm_mm)
    return 0


def alloc_private_page() -> bool:
    """Allocate a page for private memory; reclaim when memory is short.

    Source: alloc_anon_folio, folio_prealloc, mm/memory.c, 6.12
    Context: fault lock held; may sleep in reclaim
    Returns: True if there is a page
    Left out: large anonymous folios
    """
    cpu("alloc_page")
    return alloc_pages(1, False)


def do_anonymous_page() -> vm_fault_t:
    """First touch of anonymous memory.

    Source: do_anonymous_page, mm/memory.c, 6.12
    Context: fault lock held; RETRY: VMA lock released (anon_vma)
    Returns: 0, SIGBUS, OOM, RETRY
    Left out: the zero page is an ordinary page here; userfaultfd; large folios
    """
    vm_flags = current.vmf_vma.vm_flags
    if (vm_flags & VM_SHARED) != 0:
        return VM_FAULT_SIGBUS
    pte_alloc(current.vmf_vma.vm_mm, current.vmf_address)
    flags: pte_flags_t = PTE_ACCESSED
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0:
        ret = vmf_anon_prepare()
        if ret != 0:
            return ret
        flags |= PTE_WRITE
    if not alloc_private_page():
        return VM_FAULT_OOM
    cpu("clear_page")
    if not anon_map(flags):
        return VM_FAULT_SIGBUS
    return 0


@atomic
def anon_map(flags: pte_flags_t) -> bool:
    """Map the new private page unless somebody was faster.

    Source: end of do_anonymous_page, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: False: the OOM reaper has been here (check_stable_address_space)
    Left out: nothing
    """
    mm = current.vmf_vma.vm_mm
    if pte_present(mm, current.vmf_address):
        memory_uncharge(1)
        return True
    if mm.unstable:
        memory_uncharge(1)
        return False
    set_private_pte(mm, current.vmf_address, flags)
    return True


@atomic
def free_cow_page():
    """Give the page for a private copy back when the fault did not use it.

    Source: uncharge_out in do_cow_fault, mm/memory.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    if current.vmf_cow_page:
        current.vmf_cow_page = False
        memory_uncharge(1)


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
        free_cow_page()
        return ret
    cpu("copy_page")  # 4.3c5
    ret |= finish_fault_pte(True)  # 4.3c6
    folio_unlock(current.vmf_page)  # 4.3c7
    folio_put(current.vmf_page)
    free_cow_page()
    return ret


def wp_page_copy(folio: Folio) -> vm_fault_t:
    """Write to a private page that must be copied.

    Source: wp_page_copy, mm/memory.c, 6.12
    Context: fault lock held; folio (None: a private page) referenced, put here
    Returns: 0, RETRY, OOM
    Left out: nothing
    """
    if TLB == 1:
        if folio is None:
            if wp_can_reuse_anon_folio():
                cpu("wp_page_reuse")
                return 0
    ret = vmf_anon_prepare()
    if ret == 0:
        ret = VM_FAULT_OOM
        if alloc_private_page():
            cpu("copy_page")
            ret = 0
            pte_replace_by_copy(folio)
    if folio is not None:
        folio_put(folio)
    return ret


@atomic
def wp_can_reuse_anon_folio() -> bool:
    """May the thread write to a private page as it is, as no forked process shares it any more?

    Source: wp_can_reuse_anon_folio, wp_page_reuse, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: True if so; the PTE is writable then
    Left out: pages that the child has copied while it lives; in the checker every page is copied
    """
    mm = current.vmf_vma.vm_mm
    if mm.live_children > 0 or not pte_present(mm, current.vmf_address):
        return False
    set_private_pte(mm, current.vmf_address, PTE_ACCESSED | PTE_WRITE)
    return True


@atomic
def pte_replace_by_copy(folio: Folio):
    """Put the copy in place, if the PTE still is what was copied.

    Source: wp_page_copy under the PTL, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: nothing
    Left out: nothing
    """
    mm = current.vmf_vma.vm_mm
    if not pte_present(mm, current.vmf_address) or mm.pte[current.vmf_address] != folio:
        memory_uncharge(1)
        return
    set_private_pte(mm, current.vmf_address, PTE_ACCESSED | PTE_WRITE)

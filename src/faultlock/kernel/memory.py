# SPDX-License-Identifier: GPL-2.0-only
"""From handle_mm_fault down to the file system and back to the PTE (mm/memory.c; spec 4).

The fault in progress (struct vm_fault) is in the vmf_ fields of the thread.

# Model: what happens under the page-table lock is one step.  Three page-table levels are one:
a table of 512 entries exists or not.
"""


# ---- ways out before the file system is called ---------------------------------------------------------


def vmf_can_call_fault() -> vm_fault_t:
    """May ->fault be called under the VMA lock?  Not if the file system has no map_pages.

    Source: vmf_can_call_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY: the VMA lock was released
    Returns: 0, or VM_FAULT_RETRY (without MAJOR: the redo is a first attempt)
    Left out: nothing
    """
    if current.vmf_vma.map_pages or (current.vmf_flags & FAULT_FLAG_VMA_LOCK) == 0:
        return 0
    release_fault_lock()
    return VM_FAULT_RETRY


# ---- files: the three kinds of fault ------------------------------------------------------------------------


def __do_fault() -> vm_fault_t:
    """Call the file system's ->fault and make sure that the folio is locked.

    Source: __do_fault, mm/memory.c, 6.12
    Context: fault lock held; as filemap_fault
    Returns: what ->fault returned; LOCKED otherwise
    Left out: hardware poison; file systems that return the folio unlocked
    """
    emit("FILEMAP_FAULT")
    ret = filemap_fault()
    check_fault_result(ret)
    return ret


@atomic
def check_fault_result(ret: vm_fault_t):
    """The contract of ->fault: which locks go with which result (ghost).

    Source: none (properties S5 and S12)
    Context: ->fault has just returned
    Returns: nothing
    Left out: nothing
    """
    nowait = (current.vmf_flags & FAULT_FLAG_RETRY_NOWAIT) != 0
    held = fault_lock_held()
    if (ret & VM_FAULT_RETRY) != 0:
        assert (ret & VM_FAULT_ERROR) == 0, "S5 result contract: RETRY together with an error"
        assert held == nowait, "S5 result contract: RETRY leaves the fault lock released, RETRY_NOWAIT leaves it held"
    else:
        assert held, "S5 result contract: a result other than RETRY leaves the fault lock held"
    if (ret & VM_FAULT_LOCKED) != 0:
        assert current.holds_folio_lock is not None, "S5 result contract: LOCKED without the folio lock"
        assert current.holds_folio_lock == current.vmf_page, "S5 result contract: LOCKED, but another folio is locked"
        assert current.holds_folio == current.vmf_page, "S5 result contract: LOCKED without a reference to the folio"
    if (ret & VM_FAULT_SIGBUS) != 0:
        assert current.eof_seen or current.read_failed or current.fatal_signal_pending, "S12 SIGBUS accuracy: SIGBUS within the file, without a read error"


@atomic
def finish_fault_pte(cow: bool) -> vm_fault_t:
    """Set the PTE (7.0: all PTEs of the folio that fit) unless it changed meanwhile.

    Source: finish_fault, mm/memory.c, 6.12; 7.0
    Context: PTL; folio locked and referenced; the reference goes to the PTE
    Returns: 0, NOPAGE (somebody mapped the address), SIGBUS (OOM-reaped)
    Left out: mapping a huge page by one PMD
    """
    vma = current.vmf_vma
    mm = vma.vm_mm
    address = current.vmf_address
    if (vma.vm_flags & VM_SHARED) == 0 and mm.unstable:
        current.read_failed = True
        return VM_FAULT_SIGBUS
    if pte_present(mm, address):
        return VM_FAULT_NOPAGE
    if cow:
        set_private_pte(mm, address, PTE_ACCESSED | PTE_WRITE)
        current.vmf_cow_page = False
        return 0
    folio = current.vmf_page
    flags = PTE_ACCESSED
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0:
        flags = PTE_ACCESSED | PTE_WRITE
    first = address
    nr = 1
    if KERNEL_VERSION >= 700 and folio_fits_mapping(vma, folio):
        start = address - (current.vmf_pgoff - folio.index)
        if range_is_empty(mm, start, 1 << folio.order):
            first = start
            nr = 1 << folio.order
    for i in range(first, first + nr):
        set_pte(vma, i, folio, flags)
    folio_put(folio)
    return 0


def do_read_fault() -> vm_fault_t:
    """Read or execute: map what is cached around the address, else ask the file system.

    Source: do_read_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY: released
    Returns: 0, NOPAGE, RETRY, errors; | MAJOR
    Left out: userfaultfd
    """
    if current.vmf_vma.map_pages and FAULT_AROUND_PAGES > 1:
        ret = do_fault_around()  # 4.3r1
        if ret != 0:
            return ret
    ret = vmf_can_call_fault()  # 4.3r2
    if ret != 0:
        return ret
    ret = __do_fault()  # 4.3r3
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:  # 4.3r4
        return ret
    folio = current.vmf_page
    ret |= finish_fault_pte(False)  # 4.3r5
    cpu("finish_fault")
    folio_unlock(folio)
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) != 0:
        folio_put(folio)
    return ret


def do_fault() -> vm_fault_t:
    """A file-mapped address without a PTE.

    Source: do_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY and COMPLETED: released
    Returns: 0, NOPAGE, RETRY, COMPLETED, errors; | MAJOR
    Left out: VMAs whose vm_ops have no ->fault
    """
    if (current.vmf_flags & FAULT_FLAG_WRITE) == 0:
        return do_read_fault()
    vm_flags = current.vmf_vma.vm_flags
    if (vm_flags & VM_SHARED) == 0:
        return do_cow_fault()
    return do_shared_fault()


def do_pte_missing() -> vm_fault_t:
    """No PTE: anonymous memory or a file.

    Source: do_pte_missing, mm/memory.c, 6.12
    Context: fault lock held
    Returns: as do_anonymous_page, do_fault
    Left out: nothing
    """
    if current.vmf_vma.vm_file is None:
        return do_anonymous_page()
    return do_fault()


# ---- the entry ------------------------------------------------------------------------------------------------


def handle_pte_fault() -> vm_fault_t:
    """Decide by the PTE what kind of fault it is.

    Source: handle_pte_fault, mm/memory.c, 6.12
    Context: fault lock held
    Returns: as its parts
    Left out: swap and migration entries, huge PMDs
    """
    state = pte_state()
    if state == 0:
        return do_pte_missing()  # 4.2.1
    if state == 2:
        return do_wp_page()  # 4.2.2
    return 0


@atomic
def vmf_begin(vma: VMA, address: Address, flags: fault_flag_t) -> bool:
    """Fill struct vm_fault; refuse flags that do not go together.

    Source: sanitize_fault_flags, __handle_mm_fault, mm/memory.c, 6.12
    Context: fault lock held
    Returns: False: illegal flags
    Left out: architecture permission keys, memcg OOM handling
    """
    assert (flags & FAULT_FLAG_VMA_LOCK) == 0 or (flags & FAULT_FLAG_RETRY_NOWAIT) == 0, "S16 flag legality: RETRY_NOWAIT under the VMA lock"
    current.vmf_vma = vma
    current.vmf_address = address
    current.vmf_pgoff = 0
    if vma.vm_file is not None:
        current.vmf_pgoff = vma.vm_pgoff + address - vma.vm_start
    current.vmf_flags = flags
    current.vmf_page = None
    current.eof_seen = False
    current.read_failed = False
    return (flags & FAULT_FLAG_VMA_LOCK) == 0 or (flags & FAULT_FLAG_RETRY_NOWAIT) == 0


@atomic
def vmf_end():
    """Forget struct vm_fault.

    Source: none (it is on the kernel stack)
    Context: the VMA must not be touched any more: it may be gone
    Returns: nothing
    Left out: nothing
    """
    current.vmf_vma = None
    current.vmf_flags = 0
    current.vmf_page = None
    current.vmf_address = 0
    current.vmf_pgoff = 0
    current.eof_seen = False
    current.read_failed = False


@atomic
def mm_account_fault(ret: vm_fault_t, flags: fault_flag_t):
    """Count the fault: not at all for RETRY; major if it waited for I/O or was tried before.

    Source: mm_account_fault, mm/memory.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing (the counters are events of the simulator)
    """
    if (ret & VM_FAULT_RETRY) != 0:
        return
    emit("PGFAULT")
    if (ret & VM_FAULT_ERROR) != 0:
        return
    if (ret & VM_FAULT_MAJOR) != 0 or (flags & FAULT_FLAG_TRIED) != 0:
        emit("MAJ_FLT")
    else:
        emit("MIN_FLT")


def handle_mm_fault(vma: VMA, address: Address, flags: fault_flag_t) -> vm_fault_t:
    """Resolve one fault under the fault lock the caller holds.

    Source: handle_mm_fault, mm/memory.c, 6.12
    Context: VMA lock (FAULT_FLAG_VMA_LOCK) or mmap_lock held for read; RETRY and COMPLETED: released (RETRY_NOWAIT: held)
    Returns: vm_fault_t
    Left out: hugetlb
    """
    if not vmf_begin(vma, address, flags):  # 4.1.1
        return VM_FAULT_SIGSEGV
    cpu("handle_mm_fault")  # 4.1.2
    cpu("pmd_alloc_one", pmd_page_missing(address))
    ret = handle_pte_fault()  # 4.1.3
    mm_account_fault(ret, flags)  # 4.1.5
    vmf_end()  # 4.1.4
    return ret

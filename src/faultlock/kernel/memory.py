# SPDX-License-Identifier: GPL-2.0-only
"""From handle_mm_fault down to the file system and back to the PTE (mm/memory.c; spec 4).

The fault in progress (struct vm_fault) is in the vmf_ fields of the thread.

# Model: what happens under the page-table lock is one step.  Three page-table levels are one:
a table of 512 entries exists or not.
"""


@atomic
def pte_alloc(mm: MM, address: Address):
    """Make sure that there is a page table for address.

    Source: pte_alloc, __do_fault (prealloc_pte), pmd_install, mm/memory.c, 6.12
    Context: fault lock held
    Returns: nothing
    Left out: its allocation failing or reclaiming; freeing it when a fault does not need it
    """
    if mm.page_table[address // PTRS_PER_PTE] == 0:
        mm.page_table[address // PTRS_PER_PTE] = 1


@atomic
def set_pte(vma: VMA, address: Address, folio: Folio, flags: pte_flags_t):
    """Map one page of a page cache folio; the PTE takes a reference.

    Source: set_pte_range, mm/memory.c, 6.12
    Context: PTL; folio locked by current; entry empty
    Returns: nothing
    Left out: nothing
    """
    mm = vma.vm_mm
    index = vma.vm_pgoff + address - vma.vm_start
    assert folio.locked and folio.locked_by == current, "S2 uptodate: a folio is mapped without its lock"
    assert folio.uptodate, "S2 uptodate: a folio that is not uptodate is mapped"
    assert folio.mapping == vma.vm_file.f_mapping, "S1 no stale PTE: a folio that left the file is mapped"
    assert folio.index <= index and index < folio.index + (1 << folio.order), "S1 no stale PTE: a folio is mapped at an index it does not cover"
    assert index < max(current.i_size_seen, folio.mapping.i_size), "S10 end of file: a page beyond i_size is mapped"
    assert fault_lock_held(), "S7 VMA use after release: a PTE is set without the fault lock"
    mm.pte[address] = folio
    mm.pte_flags[address] = flags
    mm.page_table[address // PTRS_PER_PTE] += 1
    folio.refcount += 1
    folio.mapcount += 1


@atomic
def set_private_pte(mm: MM, address: Address, flags: pte_flags_t):
    """Map a private page (anonymous, or a copy of a file page) in place of what is there.

    Source: set_ptes with an anonymous folio, wp_page_copy, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: nothing
    Left out: the anonymous folio itself (constants.py, PTE_PRIVATE)
    """
    if mm.pte[address] is not None:
        folio = pte_clear(mm, address)
        folio_ref_sub(folio, 1)
    elif (mm.pte_flags[address] & PTE_PRIVATE) != 0:
        pte_clear(mm, address)
    mm.pte_flags[address] = PTE_PRIVATE | flags
    mm.page_table[address // PTRS_PER_PTE] += 1


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
    """Allocate a page for private memory; reclaim once when memory is short.

    Source: alloc_anon_folio, folio_prealloc, mm/memory.c, 6.12
    Context: fault lock held; may sleep in reclaim
    Returns: True if there is a page
    Left out: large anonymous folios
    """
    cpu("alloc_page")
    if memory_charge(1):
        return True
    if DIRECT_RECLAIM == 1:
        try_to_free_pages()
        return memory_charge(1)
    return False


# ---- anonymous memory ------------------------------------------------------------------------------------


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


# ---- files: the three kinds of fault ------------------------------------------------------------------------


def __do_fault() -> vm_fault_t:
    """Call the file system's ->fault and make sure that the folio is locked.

    Source: __do_fault, mm/memory.c, 6.12
    Context: fault lock held; as filemap_fault
    Returns: what ->fault returned; LOCKED otherwise
    Left out: hardware poison; file systems that return the folio unlocked
    """
    pte_alloc(current.vmf_vma.vm_mm, current.vmf_address)
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
    if KERNEL_VERSION >= 700 and folio.order > 0:
        whole = 1 << folio.order
        start = address - (current.vmf_pgoff - folio.index)
        fits = start >= vma.vm_start and start + whole <= vma.vm_end and start // PTRS_PER_PTE == (start + whole - 1) // PTRS_PER_PTE
        if fits and folio.index + whole <= folio.mapping.i_size and range_is_empty(mm, start, whole):
            first = start
            nr = whole
    for i in range(first, first + nr):
        set_pte(vma, i, folio, flags)
    folio_put(folio)
    return 0


@atomic
def range_is_empty(mm: MM, start: Address, nr: int) -> bool:
    """Are nr entries from start on all empty?

    Source: pte_range_none, mm/memory.c, 6.12
    Context: PTL
    Returns: True if they are
    Left out: nothing
    """
    for address in range(start, start + nr):
        if pte_present(mm, address):
            return False
    return True


def do_read_fault() -> vm_fault_t:
    """Read or execute: map what is cached around the address, else ask the file system.

    Source: do_read_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY: released
    Returns: 0, NOPAGE, RETRY, errors; | MAJOR
    Left out: userfaultfd
    """
    if current.vmf_vma.map_pages and FAULT_AROUND_PAGES > 1:
        ret = do_fault_around()
        if ret != 0:
            return ret
    ret = vmf_can_call_fault()
    if ret != 0:
        return ret
    ret = __do_fault()
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:
        return ret
    folio = current.vmf_page
    ret |= finish_fault_pte(False)
    cpu("finish_fault")
    folio_unlock(folio)
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) != 0:
        folio_put(folio)
    return ret


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
    ret = vmf_can_call_fault()
    if ret != 0:
        return ret
    ret = vmf_anon_prepare()
    if ret != 0:
        return ret
    if not alloc_private_page():
        return VM_FAULT_OOM
    current.vmf_cow_page = True
    ret = __do_fault()
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:
        free_cow_page()
        return ret
    cpu("copy_page")
    ret |= finish_fault_pte(True)
    folio_unlock(current.vmf_page)
    folio_put(current.vmf_page)
    free_cow_page()
    return ret


def do_shared_fault() -> vm_fault_t:
    """Write to a shared mapping.

    Source: do_shared_fault, mm/memory.c, 6.12
    Context: fault lock held; RETRY and COMPLETED: released
    Returns: 0, NOPAGE, RETRY, COMPLETED, errors; | MAJOR
    Left out: nothing
    """
    ret = vmf_can_call_fault()
    if ret != 0:
        return ret
    ret = __do_fault()
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) != 0:
        return ret
    folio = current.vmf_page
    if current.vmf_vma.page_mkwrite:
        folio_unlock(folio)
        tmp = do_page_mkwrite(folio)
        if (tmp & VM_FAULT_LOCKED) == 0:
            folio_put(folio)
            return tmp
    ret |= finish_fault_pte(False)
    cpu("finish_fault")
    if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) != 0:
        folio_unlock(folio)
        folio_put(folio)
        return ret
    tmp = fault_dirty_shared_page(folio)
    return ret | tmp


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
    if folio.mapping != mapping:
        folio_unlock(folio)
        return VM_FAULT_NOPAGE
    return VM_FAULT_LOCKED


def fault_dirty_shared_page(folio: Folio) -> vm_fault_t:
    """Mark the folio dirty, unlock it, and throttle the writer if there is too much dirty memory.

    Source: fault_dirty_shared_page, mm/memory.c, 6.12
    Context: folio locked, unlocked here; COMPLETED: fault lock released
    Returns: 0 or COMPLETED
    Left out: file times; the length of the throttling is the simulator's
    """
    folio.dirty = True
    folio_unlock(folio)
    if DIRTY_EXCEEDED == 1:
        maybe_unlock_mmap_for_io()
        balance_dirty_pages()
        if current.pinned_file is not None:
            fput(current.pinned_file)
            return VM_FAULT_COMPLETED
    return 0


def balance_dirty_pages():
    """Wait until writeback has caught up.

    Source: balance_dirty_pages_ratelimited, mm/page-writeback.c, 6.12
    Context: sleeps, killable inside its loop
    Returns: nothing
    Left out: writeback itself: the pause is a fixed time
    """
    emit("THROTTLE")
    sleep(10000)


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


# ---- a PTE is there: write protection -------------------------------------------------------------------------


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
            folio_put(folio)
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


@atomic
def pte_make_writable(folio: Folio) -> bool:
    """Allow writing, if the PTE still maps the folio.

    Source: finish_mkwrite_fault, wp_page_reuse, mm/memory.c, 6.12
    Context: PTL; fault lock held
    Returns: False if the PTE changed
    Left out: nothing
    """
    mm = current.vmf_vma.vm_mm
    if mm.pte[current.vmf_address] != folio:
        return False
    mm.pte_flags[current.vmf_address] |= PTE_WRITE | PTE_ACCESSED
    return True


def wp_page_copy(folio: Folio) -> vm_fault_t:
    """Write to a private page that must be copied.

    Source: wp_page_copy, mm/memory.c, 6.12
    Context: fault lock held; folio (None: a private page) referenced, put here
    Returns: 0, RETRY, OOM
    Left out: reuse of a private page that nobody shares any more
    """
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


@atomic
def vm_normal_folio() -> Folio:
    """The page cache folio that is mapped at the fault's address, with a reference.

    Source: vm_normal_page, folio_get, mm/memory.c, 6.12
    Context: PTL
    Returns: the folio; None: a private page, or nothing any more
    Left out: nothing
    """
    folio = current.vmf_vma.vm_mm.pte[current.vmf_address]
    if folio is not None:
        folio_get(folio)
    return folio


def do_wp_page() -> vm_fault_t:
    """Write to a page that is mapped read-only.

    Source: do_wp_page, mm/memory.c, 6.12
    Context: fault lock held
    Returns: 0, NOPAGE, RETRY, COMPLETED, OOM
    Left out: userfaultfd, unsharing
    """
    vm_flags = current.vmf_vma.vm_flags
    folio = vm_normal_folio()
    if (vm_flags & VM_SHARED) != 0 and folio is not None:
        return wp_page_shared(folio)
    return wp_page_copy(folio)


# ---- the entry ------------------------------------------------------------------------------------------------


@atomic
def pte_state() -> int:
    """What the page table says about the fault's address.

    Source: handle_pte_fault, mm/memory.c, 6.12
    Context: fault lock held; lockless look, then PTL
    Returns: 0 nothing mapped; 1 mapped and sufficient (marked used); 2 mapped, but writing is not allowed
    Left out: swap and migration entries, NUMA hinting
    """
    mm = current.vmf_vma.vm_mm
    address = current.vmf_address
    if not pte_present(mm, address):
        if mm.page_table[address // PTRS_PER_PTE] > 0:
            current.vmf_flags |= FAULT_FLAG_ORIG_PTE_VALID
        return 0
    if (current.vmf_flags & FAULT_FLAG_WRITE) != 0 and (mm.pte_flags[address] & PTE_WRITE) == 0:
        return 2
    mm.pte_flags[address] |= PTE_ACCESSED
    return 1


def handle_pte_fault() -> vm_fault_t:
    """Decide by the PTE what kind of fault it is.

    Source: handle_pte_fault, mm/memory.c, 6.12
    Context: fault lock held
    Returns: as its parts
    Left out: swap and migration entries, huge PMDs
    """
    state = pte_state()
    if state == 0:
        return do_pte_missing()
    if state == 2:
        return do_wp_page()
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
    if not vmf_begin(vma, address, flags):
        return VM_FAULT_SIGSEGV
    cpu("handle_mm_fault")
    ret = handle_pte_fault()
    mm_account_fault(ret, flags)
    vmf_end()
    return ret

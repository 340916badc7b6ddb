# SPDX-License-Identifier: GPL-2.0-only
"""The properties that every scenario is checked for; a docstring is the English sentence.

Properties of single events (S5, S6, S7, S10 ... S16) are `assert` statements in the kernel
text, where the event happens.  L1 (no deadlock) and L8 (no livelock) belong to the checker.
Numbers up to S16 are those of the specification of the fault path.
"""


@always("S1 no stale PTE")
def no_stale_pte() -> bool:
    """A page table entry never maps a folio that is not in the page cache."""
    for mm in each(MM):
        for address in range(0, N_ADDRESS_PAGES):
            folio = mm.pte[address]
            if folio is not None:
                if folio.mapping is None:
                    return False
    return True


@always("S2 only uptodate pages are mapped")
def mapped_is_uptodate() -> bool:
    """A page table entry never maps a folio whose contents are not valid."""
    for mm in each(MM):
        for address in range(0, N_ADDRESS_PAGES):
            folio = mm.pte[address]
            if folio is not None:
                if not folio.uptodate:
                    return False
    return True


@atomic
def references_of_threads(folio: Folio) -> int:
    """References to a folio that threads hold."""
    total = 0
    for thread in each(Thread):
        if thread.holds_folio == folio:
            total += 1
        if thread.holds_other_folio == folio:
            total += 1
    return total


@atomic
def entries_that_map(folio: Folio) -> int:
    """Page table entries that map a folio."""
    total = 0
    for mm in each(MM):
        for address in range(0, N_ADDRESS_PAGES):
            if mm.pte[address] == folio:
                total += 1
    return total


@always("S3 reference balance")
def reference_balance() -> bool:
    """A folio in the page cache has as many references as the cache, page tables and threads
    hold (one that is not has at least as many: nobody notes who has just made it); its mapcount
    is the number of entries that map it; a thread in user mode holds none."""
    for thread in each(Thread):
        if thread.kernel_depth == 0:
            if thread.holds_folio is not None or thread.holds_other_folio is not None:
                return False
    for folio in each(Folio):
        if folio.refcount > 0:
            if folio.mapcount != entries_that_map(folio):
                return False
            expected = folio.mapcount + folio.extra_refs + references_of_threads(folio)
            if folio.mapping is not None:
                expected += 1 << folio.order
                if folio.refcount != expected:
                    return False
            elif folio.refcount < expected:
                return False
    return True


@atomic
def references_to_file(file: File) -> int:
    """References to a file that VMAs and threads hold."""
    total = 0
    for vma in each(VMA):
        if vma.vm_file == file and not vma.freed:
            total += 1
    for thread in each(Thread):
        if thread.pinned_file == file:
            total += 1
    return total


@always("S3 reference balance (files)")
def file_reference_balance() -> bool:
    """A file has as many references as VMAs that map it and threads that have pinned it."""
    for file in each(File):
        if file.f_count != references_to_file(file):
            return False
    return True


@atomic
def threads_in_kernel() -> int:
    """Threads that are in the kernel, where they may hold locks."""
    total = 0
    for thread in each(Thread):
        if thread.kernel_depth > 0:
            total += 1
    return total


@atomic
def belongs_to_a_thread(mm: MM) -> bool:
    """Is it the address space of a thread?"""
    for thread in each(Thread):
        if thread.mm == mm:
            return True
    return False


@always("S3 reference balance (address spaces)")
def address_space_balance() -> bool:
    """While no thread is in the kernel, an address space that has users is that of a thread."""
    if threads_in_kernel() > 0:
        return True
    for mm in each(MM):
        if mm.users > 0 and not belongs_to_a_thread(mm):
            return False
    return True


@always("S4 lock balance")
def lock_balance() -> bool:
    """A thread in user mode, or dead, holds no fault lock, invalidate_lock, i_rwsem,
    i_mmap_rwsem, folio lock or pin; no semaphore and no VMA has more readers than threads are in
    the kernel."""
    for thread in each(Thread):
        if thread.kernel_depth == 0:
            if thread.holds_mmap_lock is not None:
                return False
            if thread.holds_vma_lock is not None:
                return False
            if thread.holds_invalidate_lock is not None:
                return False
            if thread.holds_i_rwsem is not None or thread.holds_i_mmap_rwsem is not None:
                return False
            if thread.holds_folio_lock is not None:
                return False
            if thread.pinned_file is not None:
                return False
    # A count that was not lowered again keeps writers out for ever, whoever raised it.
    most = threads_in_kernel()
    for sem in each(RwSemaphore):
        if sem.readers > most:
            return False
    for vma in each(VMA):
        if not vma.freed and vma_lock_readers(vma) > most:
            return False
    return True


@always("S8 VMA stability")
def vma_stability() -> bool:
    """A VMA that a thread has read-locked is in its address space and has a file to point to;
    the VMA that a fault works on contains the address."""
    for thread in each(Thread):
        if thread.vmf_vma is not None:
            if not vma_contains(thread.vmf_vma, thread.vmf_address):
                return False
        vma = thread.holds_vma_lock
        if vma is not None:
            if vma.freed or vma.vm_mm is None:
                return False
            if vma.vm_file is not None and vma.vm_file.f_count == 0:
                return False
    return True


@always("S8 VMA stability (after free)")
def free_vmas_are_left_alone() -> bool:
    """Nobody looks at a VMA, or locks it, that is free: it may become another one at any time."""
    for vma in each(VMA):
        if vma.vm_mm is None:
            if vma.rcu_readers > 0 or vma_lock_readers(vma) > 0:
                return False
    return True


@atomic
def is_in_list_of_file(vma: VMA) -> bool:
    """Do truncation and reclaim find the VMA, when they look who maps a page of its file?"""
    other = vma.vm_file.f_mapping.i_mmap
    while other is not None:
        if other == vma:
            return True
        other = other.next_in_mapping
    return False


@always("S8 VMA stability (list of the file)")
def mapped_files_know_it() -> bool:
    """While nobody holds mmap_lock for writing, each VMA that maps a file is in the file's list."""
    for mm in each(MM):
        if mm.mmap_lock.writer is None:
            for slot in range(0, mm.map_count):
                vma = mm.vmas[slot]
                if vma.vm_file is not None:
                    if not is_in_list_of_file(vma):
                        return False
    return True


@atomic
def has_entry_outside_of_vmas(mm: MM) -> bool:
    """Does the page table map something where no VMA is?"""
    for address in range(0, N_ADDRESS_PAGES):
        if pte_present(mm, address):
            if vma_lookup(mm, address) is None:
                return True
    return False


@always("S8 VMA stability (page tables)")
def entries_are_inside_vmas() -> bool:
    """While nobody holds mmap_lock, page table entries exist inside of VMAs only."""
    for mm in each(MM):
        if mm.mmap_lock.writer is None and mm.mmap_lock.readers == 0:
            if has_entry_outside_of_vmas(mm):
                return False
    return True


@always("S9 write lock exclusion")
def write_lock_exclusion() -> bool:
    """No semaphore has a writer and readers; no thread has read-locked a write-locked VMA, and
    only an mmap_lock writer write-locks a VMA or keeps new readers out of it."""
    for sem in each(RwSemaphore):
        if sem.writer is not None and sem.readers != 0:
            return False
    for vma in each(VMA):
        if vma.exclude_readers and vma.vm_mm.mmap_lock.writer is None:
            return False
        if vma.write_locked:
            if vma.vm_mm.mmap_lock.writer is None:
                return False
            for thread in each(Thread):
                if thread.holds_vma_lock == vma:
                    return False
    return True


@always("S10 end of file")
def end_of_file() -> bool:
    """While nobody truncates, no page table entry maps a page at or beyond the end of its file."""
    for mm in each(MM):
        for address in range(0, N_ADDRESS_PAGES):
            folio = mm.pte[address]
            if folio is not None:
                mapping = folio.mapping
                if mapping is not None:
                    if mapping.i_rwsem.writer is None and folio.index >= mapping.i_size:
                        return False
    return True


@always("S11 no fill under removal (the remover)")
def remover_keeps_others_out() -> bool:
    """Who takes pages out of a file that uses invalidate_lock holds it exclusively, and no direct
    I/O of the file is in flight."""
    for thread in each(Thread):
        mapping = thread.holds_i_rwsem
        if mapping is not None and thread.holds_folio_lock is not None:
            if thread.holds_folio_lock.mapping is None:
                if mapping.uses_invalidate_lock and mapping.invalidate_lock.writer != thread:
                    return False
                if mapping.i_dio_count > 0:
                    return False
    return True


@atomic
def maps_beyond_end(vma: VMA) -> bool:
    """Has the VMA a private copy of a page at or beyond the end of its file?"""
    end = vma.vm_file.f_mapping.i_size
    for address in range(vma.vm_start, vma.vm_end):
        if vma.vm_mm.pte_flags[address] & PTE_PRIVATE != 0:
            if vma.vm_pgoff + address - vma.vm_start >= end:
                return True
    return False


@always("S10 end of file (private copies)")
def end_of_file_of_copies() -> bool:
    """While nobody truncates, no private copy of a page at or beyond the end of its file is
    mapped: an access there gets SIGBUS."""
    for vma in each(VMA):
        if vma.vm_file is not None and not vma.detached and not vma.freed:
            if vma.vm_file.f_mapping.i_rwsem.writer is None:
                if maps_beyond_end(vma):
                    return False
    return True


@atomic
def maps_writable_against_flags(vma: VMA) -> bool:
    """Is an entry of the VMA writable although VM_WRITE is missing, or maps it the page cache's
    own page writable in a private mapping?"""
    for address in range(vma.vm_start, vma.vm_end):
        if vma.vm_mm.pte_flags[address] & PTE_WRITE != 0:
            if vma.vm_flags & VM_WRITE == 0:
                return True
            if vma.vm_mm.pte[address] is not None and vma.vm_flags & VM_SHARED == 0:
                return True
    return False


@always("S17 write protection")
def write_protection() -> bool:
    """A page table entry of a VMA that nobody changes is writable only with VM_WRITE, and maps a
    page of the page cache writable only in a shared mapping."""
    for vma in each(VMA):
        if not vma.detached and not vma.freed and not vma.write_locked:
            if maps_writable_against_flags(vma):
                return False
    return True


@always("S14 single fill")
def single_fill() -> bool:
    """A folio that is being read is locked by nobody but the read, and in the page cache; one
    that is being written is in the page cache."""
    for folio in each(Folio):
        if folio.writeback and folio.mapping is None:
            return False
        if folio.reading:
            if not folio.locked:
                return False
            if folio.locked_by is not None:
                return False
            if folio.mapping is None:
                return False
    return True


@atomic
def queue_ends_at(first: Thread, last: Thread) -> bool:
    """Is `last` the end of the queue that begins with `first`?"""
    waiter = first
    while waiter.wait_next is not None:
        waiter = waiter.wait_next
    return waiter == last


@always("S18 wait queues")
def queues_are_whole() -> bool:
    """The last waiter of a folio or semaphore is the end of its queue: who queues behind it is
    found by who wakes."""
    for folio in each(Folio):
        if folio.first_waiter is not None:
            if not queue_ends_at(folio.first_waiter, folio.last_waiter):
                return False
    for sem in each(RwSemaphore):
        if sem.first_waiter is not None:
            if not queue_ends_at(sem.first_waiter, sem.last_waiter):
                return False
    return True


@atomic
def sleeps_on_read(thread: Thread) -> bool:
    """Is the thread asleep in the queue of a folio that is being read?  (Not when it has been
    woken to give its lock up.)"""
    folio = thread.holds_folio
    if folio is None or thread.writer_arrived:
        return False
    if not folio.reading:
        return False
    return thread.wait_kind == WaitKind.EXCLUSIVE or thread.wait_kind == WaitKind.SHARED or thread.wait_kind == WaitKind.HANDOFF


@atomic
def mmap_lock_is_wanted(mm: MM) -> bool:
    """Is a thread queued for mmap_lock?"""
    return mm.mmap_lock.first_waiter is not None


@atomic
def vma_lock_is_wanted(vma: VMA) -> bool:
    """Does a writer wait for the readers of a VMA?"""
    if KERNEL_VERSION < 615:
        return vma.vm_lock.first_waiter is not None
    return vma.exclude_readers


@always("L2 bounded interference")
def no_io_under_wanted_lock() -> bool:
    """Nobody waits for mmap_lock or a VMA lock that a thread holds while it sleeps on I/O."""
    for thread in each(Thread):
        if sleeps_on_read(thread):
            if thread.holds_vma_lock is not None:
                if vma_lock_is_wanted(thread.holds_vma_lock):
                    return False
            if thread.holds_mmap_lock is not None:
                if mmap_lock_is_wanted(thread.holds_mmap_lock):
                    return False
    return True


@always("L5 attempt bound")
def attempt_bound() -> bool:
    """One trap calls handle_mm_fault three times at most."""
    for thread in each(Thread):
        if thread.attempts > 3:
            return False
    return True


@always("S16 flag legality")
def first_attempt_is_not_tried() -> bool:
    """The first attempt of a trap, under the VMA lock, does not carry TRIED."""
    for thread in each(Thread):
        if thread.attempts == 1 and thread.vmf_vma is not None:
            if (thread.vmf_flags & FAULT_FLAG_VMA_LOCK) != 0 and (thread.vmf_flags & FAULT_FLAG_TRIED) != 0:
                return False
    return True

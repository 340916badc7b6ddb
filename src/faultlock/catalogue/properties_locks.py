# SPDX-License-Identifier: GPL-2.0-only
"""Locks that are held and released, and what VMAs they keep stable."""


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

# SPDX-License-Identifier: GPL-2.0-only
"""A file's end, its pages while they are filled or removed, and who may write to them."""


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

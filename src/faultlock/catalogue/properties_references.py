# SPDX-License-Identifier: GPL-2.0-only
"""Pages, folios, files and address spaces: who maps them, and the references that are counted.

A docstring is a property's English sentence; every scenario is checked for all of them.
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

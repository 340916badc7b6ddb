# SPDX-License-Identifier: GPL-2.0-only
"""Readahead as faults use it: which window after a miss, when the next one (spec 7.3 to 7.5).

The rules differ between kernels; KERNEL_VERSION chooses (612, 618, 700).
"""


@atomic
def mmap_miss_increase(file: File) -> int:
    """Count a miss.

    Source: do_sync_mmap_readahead, mm/filemap.c, 6.12
    Context: unlocked
    Returns: the counter
    Left out: lost updates by concurrent faults (read and write are one step here)
    """
    if file.mmap_miss < MMAP_LOTSAMISS * 10:
        file.mmap_miss += 1
    return file.mmap_miss


@atomic
def mmap_miss_decrease(file: File, hits: int):
    """Count hits.

    Source: do_async_mmap_readahead, filemap_map_pages, mm/filemap.c, 6.12
    Context: unlocked
    Returns: nothing
    Left out: lost updates by concurrent faults (read and write are one step here)
    """
    file.mmap_miss = max(0, file.mmap_miss - hits)


@atomic
def ra_huge_window(file: File, vm_flags: vm_flags_t):
    """The window of a VM_HUGEPAGE mapping: one huge page, or two so that readahead can follow.

    Source: do_sync_mmap_readahead, mm/filemap.c, 6.12
    Context: unlocked
    Returns: nothing
    Left out: nothing
    """
    size = HPAGE_PMD_NR
    if (vm_flags & VM_RAND_READ) == 0:
        size = HPAGE_PMD_NR * 2
    ra_set_window(file, file.ra_start, size, HPAGE_PMD_NR)
    file.ra_order = HPAGE_PMD_ORDER


@atomic
def ra_exec_window(file: File, vma: VMA, index: int):
    """The window of executable memory: from the fault on, inside the VMA, no mark (since 6.17).

    Source: do_sync_mmap_readahead, mm/filemap.c, 7.0
    Context: fault lock held
    Returns: nothing
    Left out: nothing
    """
    align = 1 << EXEC_FOLIO_ORDER
    vma_end = vma.vm_pgoff + vma.vm_end - vma.vm_start
    start = max(index // align * align, vma.vm_pgoff)
    end = (start + file.ra_pages + align - 1) // align * align
    end = min(end, vma_end)
    ra_set_window(file, start, end - start, 0)
    file.ra_order = EXEC_FOLIO_ORDER


@atomic
def ra_read_around_window(file: File, index: int):
    """The window around a miss: [index - R/2, index + R/2), mark at three quarters.

    Source: do_sync_mmap_readahead, mm/filemap.c, 6.12
    Context: unlocked
    Returns: nothing
    Left out: nothing
    """
    ra_set_window(file, max(0, index - file.ra_pages // 2), file.ra_pages, file.ra_pages // 4)
    file.ra_order = 0


def do_sync_mmap_readahead(file: File):
    """A fault found nothing: read a window, or not.

    Source: do_sync_mmap_readahead, mm/filemap.c, 6.12; 7.0
    Context: fault lock held; released by maybe_unlock_mmap_for_io when there is something to submit; sleeps
    Returns: nothing
    Left out: nothing
    """
    index = current.vmf_pgoff
    vm_flags = current.vmf_vma.vm_flags
    huge = (vm_flags & VM_HUGEPAGE) != 0
    if not huge:
        random = (vm_flags & VM_RAND_READ) != 0
        if KERNEL_VERSION >= 617:
            random = random and (vm_flags & VM_EXEC) == 0
        if random:
            return
        if file.ra_pages == 0:
            return
        if (vm_flags & VM_SEQ_READ) != 0:
            ra_pages = file.ra_pages
            maybe_unlock_mmap_for_io()
            page_cache_sync_ra(file, index, ra_pages)
            return
    counted = not huge
    if KERNEL_VERSION >= 700:
        counted = (vm_flags & VM_SEQ_READ) == 0
    if counted:
        mmap_miss = mmap_miss_increase(file)
        if mmap_miss > MMAP_LOTSAMISS:
            return
    if huge:
        maybe_unlock_mmap_for_io()
        ra_huge_window(file, vm_flags)
        page_cache_ra_order(file, index - index % HPAGE_PMD_NR, HPAGE_PMD_ORDER)
        return
    if KERNEL_VERSION >= 617 and (vm_flags & VM_EXEC) != 0:
        ra_exec_window(file, current.vmf_vma, index)
        maybe_unlock_mmap_for_io()
    else:
        maybe_unlock_mmap_for_io()
        ra_read_around_window(file, index)
    with atomic:
        start = file.ra_start
        order = file.ra_order
    page_cache_ra_order(file, start, order)


def do_async_mmap_readahead(file: File, folio: Folio):
    """A fault found a folio: count the hit; on the marked folio start the next window.

    Source: do_async_mmap_readahead, mm/filemap.c, 6.12; 7.0
    Context: fault lock held; released by maybe_unlock_mmap_for_io when the folio is marked; sleeps
    Returns: nothing
    Left out: nothing
    """
    index = current.vmf_pgoff
    vm_flags = current.vmf_vma.vm_flags
    ra_pages = file.ra_pages
    if (vm_flags & VM_RAND_READ) != 0 or ra_pages == 0:
        return
    locked = False
    if KERNEL_VERSION >= 617:
        # Another thread's read: it counts its own miss, so this is no hit.
        locked = folio.locked
    if not locked:
        mmap_miss_decrease(file, 1)
    if folio.readahead:
        maybe_unlock_mmap_for_io()
        page_cache_async_ra(file, index, folio, ra_pages)

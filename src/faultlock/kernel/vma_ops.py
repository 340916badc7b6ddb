# SPDX-License-Identifier: GPL-2.0-only
"""Making, splitting and merging VMAs (mm/vma.c).

Whoever changes a VMA holds mmap_lock for write and has write-locked the VMA: that is where it
waits for faults that hold the VMA lock.
"""


@atomic
def vm_area_alloc(mm: MM, file: File, start: Address, end: Address, pgoff: Index, vm_flags: vm_flags_t) -> VMA:
    """A new VMA, not yet in the tree; it owns a reference to the file.

    Source: vm_area_alloc, vma_set_range, kernel/fork.c, mm/vma.h, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None when the pool is exhausted
    Left out: nothing
    """
    vma = alloc(VMA)
    if vma is None:
        return None
    vma.vm_mm = mm
    vma.vm_start = start
    vma.vm_end = end
    vma.vm_file = file
    vma.vm_pgoff = pgoff
    vma.vm_flags = vm_flags
    vma.detached = True
    if file is not None:
        file.f_count += 1
        vma.map_pages = True
        vma.page_mkwrite = file.f_mapping.has_page_mkwrite
    return vma


@atomic
def vm_area_dup(vma: VMA, mm: MM, start: Address, end: Address) -> VMA:
    """A copy of a VMA for another range of the same file, or for another mm.

    Source: vm_area_dup, kernel/fork.c; the range arithmetic of __split_vma, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: anon_vma chains (anon_vma is one bit: something was copied on write here)
    """
    pgoff = vma.vm_pgoff
    if vma.vm_file is not None:
        pgoff += start - vma.vm_start
    new = vm_area_alloc(mm, vma.vm_file, start, end, pgoff, vma.vm_flags)
    if new is None:
        return None
    new.anon_vma = vma.anon_vma
    new.map_pages = vma.map_pages
    new.page_mkwrite = vma.page_mkwrite
    return new


@atomic
def remove_vma(vma: VMA):
    """Drop what a VMA owns and free it.

    Source: remove_vma, mm/vma.c, 6.12
    Context: out of the tree, no readers, page tables empty, unlinked from the file
    Returns: nothing
    Left out: vm_ops->close
    """
    vma_forget_write_lock(vma)
    if vma.vm_file is not None:
        vma.vm_file.f_count -= 1
    vm_area_free(vma)


@atomic
def vma_pages(vma: VMA) -> int:
    """Length of a VMA.

    Source: vma_pages, include/linux/mm.h, 6.12
    Context: vma stable
    Returns: pages
    Left out: nothing
    """
    return vma.vm_end - vma.vm_start


@atomic
def vma_before(mm: MM, address: Address) -> VMA:
    """The VMA that ends exactly at address.

    Source: vma_prev, include/linux/mm.h, 6.12
    Context: mmap_lock held
    Returns: the VMA, or None
    Left out: nothing
    """
    slot = vma_slot(mm, address)
    if slot == 0:
        return None
    vma = mm.vmas[slot - 1]
    return vma if vma.vm_end == address else None


@atomic
def vma_at(mm: MM, address: Address) -> VMA:
    """The VMA that starts exactly at address.

    Source: vma_next, include/linux/mm.h, 6.12
    Context: mmap_lock held
    Returns: the VMA, or None
    Left out: nothing
    """
    slot = vma_slot(mm, address)
    if slot == mm.map_count:
        return None
    vma = mm.vmas[slot]
    return vma if vma.vm_start == address else None


# ---- split -------------------------------------------------------------------------------------------


@atomic
def split_complete(vma: VMA, new: VMA, address: Address, new_below: bool):
    """Both halves get their range; the new one enters the tree and the file's list.

    Source: vma_prepare, vma_complete, __split_vma, mm/vma.c, 6.12
    Context: mmap_lock held for write, both write-locked, i_mmap_rwsem of the file held for write
    Returns: nothing
    Left out: a lockless walk never sees the tree between the two stores
    """
    if new_below:
        if vma.vm_file is not None:
            vma.vm_pgoff += address - vma.vm_start
        vma.vm_start = address
    else:
        vma.vm_end = address
    vma_insert(vma.vm_mm, new)
    vma_set_write_locked(new)
    if new.vm_file is not None:
        vma_interval_tree_insert(new)


def __split_vma(vma: VMA, address: Address, new_below: bool) -> bool:
    """Cut a VMA in two at address; the new VMA is the lower or the upper part.

    Source: __split_vma, mm/vma.c, 6.12
    Context: mmap_lock held for write; waits for readers of vma, uninterruptible
    Returns: True; False (-ENOMEM) when there is no VMA left
    Left out: huge PMDs across the boundary
    """
    if new_below:
        new = vm_area_dup_below(vma, address)
    else:
        new = vm_area_dup_above(vma, address)
    if new is None:
        return False
    cpu("vma_split")
    vma_start_write(vma)
    if vma.vm_file is not None:
        i_mmap_lock_write(vma.vm_file.f_mapping)
    split_complete(vma, new, address, new_below)
    if vma.vm_file is not None:
        i_mmap_unlock_write(vma.vm_file.f_mapping)
    return True


@atomic
def vm_area_dup_below(vma: VMA, address: Address) -> VMA:
    """A copy of the part of vma below address.

    Source: __split_vma, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    return vm_area_dup(vma, vma.vm_mm, vma.vm_start, address)


@atomic
def vm_area_dup_above(vma: VMA, address: Address) -> VMA:
    """A copy of the part of vma from address on.

    Source: __split_vma, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    return vm_area_dup(vma, vma.vm_mm, address, vma.vm_end)


# ---- merge -------------------------------------------------------------------------------------------


@atomic
def vma_extend(vma: VMA, start: Address, end: Address):
    """Give a VMA another range.

    Source: vma_set_range in commit_merge, vma_expand, vma_shrink, mm/vma.c, 6.12
    Context: mmap_lock held for write, vma write-locked, i_mmap_rwsem of the file held for write
    Returns: nothing
    Left out: nothing
    """
    assert vma.write_locked, "S8 VMA stability: the range of a VMA changes that is not write-locked"
    if vma.vm_file is not None:
        vma.vm_pgoff += start - vma.vm_start
    vma.vm_start = start
    vma.vm_end = end


def vma_absorb(keep: VMA, gone: VMA):
    """Let one VMA take over the range of its neighbour, which disappears.

    Source: commit_merge, vma_complete (remove), mm/vma.c, 6.12
    Context: mmap_lock held for write, both write-locked; waits for late readers of the one that goes
    Returns: nothing
    Left out: nothing
    """
    if keep.vm_file is not None:
        i_mmap_lock_write(keep.vm_file.f_mapping)
    with atomic:
        vma_erase(keep.vm_mm, gone)
        vma_extend(keep, min(keep.vm_start, gone.vm_start), max(keep.vm_end, gone.vm_end))
        keep.anon_vma = keep.anon_vma or gone.anon_vma
        if gone.vm_file is not None:
            vma_interval_tree_remove(gone)
    if keep.vm_file is not None:
        i_mmap_unlock_write(keep.vm_file.f_mapping)
    vma_mark_detached(gone)
    remove_vma(gone)


def vma_move_boundary(left: VMA, right: VMA, address: Address):
    """Move the border between two neighbours to address.

    Source: commit_merge with adjust, mm/vma.c, 6.12
    Context: mmap_lock held for write, both write-locked
    Returns: nothing
    Left out: nothing
    """
    if left.vm_file is not None:
        i_mmap_lock_write(left.vm_file.f_mapping)
    with atomic:
        left.anon_vma = left.anon_vma or right.anon_vma
        right.anon_vma = left.anon_vma
        vma_extend(left, left.vm_start, address)
        vma_extend(right, address, right.vm_end)
    if left.vm_file is not None:
        i_mmap_unlock_write(left.vm_file.f_mapping)


@atomic
def merge_left_candidate(vma: VMA, start: Address, vm_flags: vm_flags_t) -> VMA:
    """The VMA before start, if it could absorb [start, ..) of vma with vm_flags.

    Source: can_vma_merge_left, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    if start != vma.vm_start:
        return None
    before = vma_before(vma.vm_mm, start)
    if before is None or before.vm_flags != vm_flags or before.vm_file != vma.vm_file:
        return None
    if vma.vm_file is not None and before.vm_pgoff + vma_pages(before) != vma.vm_pgoff:
        return None
    return before


@atomic
def merge_right_candidate(vma: VMA, end: Address, vm_flags: vm_flags_t) -> VMA:
    """The VMA at end, if it could absorb [.., end) of vma with vm_flags.

    Source: can_vma_merge_right, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: the VMA, or None
    Left out: nothing
    """
    if end != vma.vm_end:
        return None
    after = vma_at(vma.vm_mm, end)
    if after is None or after.vm_flags != vm_flags or after.vm_file != vma.vm_file:
        return None
    if vma.vm_file is not None and vma.vm_pgoff + vma_pages(vma) != after.vm_pgoff:
        return None
    return after


def vma_merge_existing_range(vma: VMA, start: Address, end: Address, vm_flags: vm_flags_t) -> VMA:
    """Merge [start, end) of vma, which is to get vm_flags, with its neighbours.

    Source: vma_merge_existing_range, mm/vma.c, 6.12
    Context: mmap_lock held for write; write-locks what it changes, uninterruptible
    Returns: the VMA that now holds the range, or None when nothing could be merged
    Left out: nothing
    """
    left = merge_left_candidate(vma, start, vm_flags)
    right = merge_right_candidate(vma, end, vm_flags)
    if left is None and right is None:
        return None
    cpu("vma_merge")
    vma_start_write(vma)
    if left is not None:
        vma_start_write(left)
    if right is not None:
        vma_start_write(right)
    if not vma_range_is(vma, start, end):
        if left is not None:
            vma_move_boundary(left, vma, end)
            return left
        vma_move_boundary(vma, right, start)
        return right
    if left is None:
        vma_absorb(right, vma)
        return right
    vma_absorb(left, vma)
    if right is not None:
        vma_absorb(left, right)
    return left


@atomic
def vma_range_is(vma: VMA, start: Address, end: Address) -> bool:
    """Does the VMA cover exactly [start, end)?

    Source: left_side and right_side of vma_merge_existing_range, mm/vma.c, 6.12
    Context: mmap_lock held for write
    Returns: True if it does
    Left out: nothing
    """
    return vma.vm_start == start and vma.vm_end == end


def vma_modify_flags(vma: VMA, start: Address, end: Address, vm_flags: vm_flags_t) -> VMA:
    """Merge or split so that one VMA covers exactly what is to get vm_flags.

    Source: vma_modify, vma_modify_flags, mm/vma.c, 6.12
    Context: mmap_lock held for write; write-locks what it changes, uninterruptible
    Returns: the VMA to write the flags to (not yet write-locked if nothing was done); None: -ENOMEM
    Left out: nothing
    """
    merged = vma_merge_existing_range(vma, start, end, vm_flags)
    if merged is not None:
        return merged
    if vma.vm_start < start:
        if not __split_vma(vma, start, True):
            return None
    if vma.vm_end > end:
        if not __split_vma(vma, end, False):
            return None
    return vma

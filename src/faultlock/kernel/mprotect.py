# SPDX-License-Identifier: GPL-2.0-only
"""mprotect, mlock, munlock (mm/mprotect.c, mm/mlock.c; spec 8.6)."""


@atomic
def change_pte_range(mm: MM, start: Address, end: Address, writable: bool) -> int:
    """Change the permission of the entries of one page table.

    Source: change_pte_range, mm/mprotect.c, 6.12
    Context: PTL; mmap_lock held for write, VMA write-locked
    Returns: number of entries looked at
    Left out: becoming writable again is left to the next write fault (it is for shared file pages)
    """
    changed = 0
    for address in range(start, end):
        if pte_present(mm, address):
            changed += 1
            if not writable:
                mm.pte_flags[address] &= ~PTE_WRITE
    return changed


def change_protection(vma: VMA, start: Address, end: Address, vm_flags: vm_flags_t):
    """Walk the page tables of a range and change the entries.

    Source: change_protection, mm/mprotect.c, 6.12
    Context: mmap_lock held for write, VMA write-locked; takes the PTL of one table after the other
    Returns: nothing
    Left out: huge PMDs, NUMA balancing, PROT_NONE entries stay present here
    """
    cpu("mprotect_pmd_entry", pmd_entries_in_range(vma.vm_mm, start, end))
    address: Address = next_page_table(vma.vm_mm, start, end)
    while address < end:
        part_end = page_table_end(address, end)
        if VMSCAN == 1:
            flush_tlb_batched_pending(vma.vm_mm)
        changed = change_pte_range(vma.vm_mm, address, part_end, vm_flags & VM_WRITE != 0)
        cpu("mprotect_page_table")
        cpu("mprotect_pte_slot", part_end - address)
        cpu("mprotect_pte", changed)
        address = next_page_table(vma.vm_mm, part_end, end)
    flush_tlb_mm_range(vma.vm_mm)


@atomic
def vm_flags_reset(vma: VMA, vm_flags: vm_flags_t):
    """Write a VMA's flags.

    Source: vm_flags_reset, include/linux/mm.h, 6.12
    Context: mmap_lock held for write, VMA write-locked
    Returns: nothing
    Left out: nothing
    """
    assert vma.write_locked, "S8 VMA stability: the flags of a VMA change that is not write-locked"
    vma.vm_flags = vm_flags


@atomic
def must_populate_cow(old_flags: vm_flags_t, new_flags: vm_flags_t) -> bool:
    """Is this a private VM_LOCKED mapping that becomes writable?

    Source: mprotect_fixup, mm/mprotect.c, 6.12
    Context: any
    Returns: True if its pages are copied at once
    Left out: nothing
    """
    if old_flags & (VM_WRITE | VM_SHARED | VM_LOCKED) != VM_LOCKED:
        return False
    return new_flags & VM_WRITE != 0


def mprotect_fixup(vma: VMA, start: Address, end: Address, new_flags: vm_flags_t) -> errno_t:
    """Give [start, end), which lies in vma, new permissions.

    Source: mprotect_fixup, mm/mprotect.c, 6.12
    Context: mmap_lock held for write; waits for readers of what it changes, uninterruptible
    Returns: 0 or -ENOMEM
    Left out: accounting, sealed mappings
    """
    old_flags = vma.vm_flags
    if new_flags == old_flags:
        return 0
    target = vma_modify_flags(vma, start, end, new_flags)
    if target is None:
        return -ENOMEM
    vma_start_write(target)
    vm_flags_reset(target, new_flags)
    change_protection(target, start, end, new_flags)
    if must_populate_cow(old_flags, new_flags):
        # Under the *write* lock and without ALLOW_RETRY: waits for I/O uninterruptibly.
        populate_vma_page_range(target, start, end, False)
    return 0


def do_mprotect(start: Address, end: Address, prot: vm_flags_t) -> errno_t:
    """mprotect(2).  prot: VM_READ, VM_WRITE, VM_EXEC.

    Source: do_mprotect_pkey, mm/mprotect.c, 6.12
    Context: takes mmap_lock for write, killable
    Returns: 0, -EINTR, -ENOMEM
    Left out: protection keys, PROT_GROWSDOWN
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    address: Address = start
    error: errno_t = 0
    while address < end:
        vma = find_vma_intersection(mm, address, end)
        if vma is None:
            error = -ENOMEM
            break
        cpu("mprotect_vma")
        address = max(address, vma.vm_start)
        part_end = populate_end(vma, end)
        new_flags = protection_flags(vma, prot)
        error = mprotect_fixup(vma, address, part_end, new_flags)
        if error != 0:
            break
        address = part_end
    mmap_write_unlock(mm)
    return error


@atomic
def protection_flags(vma: VMA, prot: vm_flags_t) -> vm_flags_t:
    """The VMA's flags with other permissions.

    Source: do_mprotect_pkey, mm/mprotect.c, 6.12
    Context: mmap_lock held
    Returns: flags
    Left out: nothing
    """
    return vma.vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC) | prot


# ---- mlock ---------------------------------------------------------------------------------------------


def mlock_fixup(vma: VMA, start: Address, end: Address, lock: bool) -> errno_t:
    """Set or clear VM_LOCKED on [start, end), which lies in vma.

    Source: mlock_fixup, mlock_vma_pages_range, mm/mlock.c, 6.12
    Context: mmap_lock held for write; waits for readers of what it changes, uninterruptible
    Returns: 0 or -ENOMEM
    Left out: VM_LOCKONFAULT, PG_mlocked (reclaim looks at VM_LOCKED of the mapping), limits
    """
    old_flags = vma.vm_flags
    new_flags: vm_flags_t = old_flags | VM_LOCKED
    if not lock:
        new_flags = old_flags & ~VM_LOCKED
    if new_flags == old_flags:
        return 0
    target = vma_modify_flags(vma, start, end, new_flags)
    if target is None:
        return -ENOMEM
    vma_start_write(target)
    vm_flags_reset(target, new_flags)
    tables = page_tables_in_range(target.vm_mm, start, end)
    cpu("mlock_page_table", tables)
    return 0


def do_mlock(start: Address, end: Address, lock: bool) -> errno_t:
    """mlock(2) and munlock(2); mlock then faults everything in.

    Source: do_mlock, apply_vma_lock_flags, __mm_populate, mm/mlock.c, 6.12
    Context: takes mmap_lock for write, killable; populates in read mode afterwards
    Returns: 0, -EINTR, -ENOMEM, -EFAULT
    Left out: RLIMIT_MEMLOCK
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):
        return -EINTR
    address: Address = start
    error: errno_t = 0
    while address < end and error == 0:
        vma = find_vma_intersection(mm, address, end)
        if vma is None:
            error = -ENOMEM
            break
        address = max(address, vma.vm_start)
        part_end = populate_end(vma, end)
        error = mlock_fixup(vma, address, part_end, lock)
        address = part_end
    mmap_write_unlock(mm)
    if error != 0 or not lock:
        return error
    return __mm_populate(start, end, False)

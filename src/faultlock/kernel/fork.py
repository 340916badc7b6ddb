# SPDX-License-Identifier: GPL-2.0-only
"""fork (dup_mmap: kernel/fork.c in 6.12, mm/mmap.c in 7.0; spec 8.5).

The parent's mmap_lock is held for write throughout, and every VMA of the parent is
write-locked in address order: that is where fork meets faults that hold a VMA lock.

# Model: with FORK_CHILD == 0, or when no MM is free, the child's address space is not made:
everything else, costs included, happens all the same.
"""


@atomic
def mm_alloc() -> MM:
    """A fresh address space for the child.

    Source: dup_mm, mm_init, kernel/fork.c, 6.12
    Context: any
    Returns: the mm, or None (FORK_CHILD == 0, or none free)
    Left out: nothing
    """
    if FORK_CHILD == 0:
        return None
    mm = alloc(MM)
    if mm is not None:
        mm.users = 1
        mm.mmap_base = current.mm.mmap_base
    return mm


@atomic
def mmap_write_lock_nested(mm: MM):
    """Lock the child's mmap_lock: nobody else can know it yet.

    Source: mmap_write_lock_nested, include/linux/mmap_lock.h, 6.12
    Context: the mm is private to current
    Returns: nothing
    Left out: nothing
    """
    assert mm.mmap_lock.writer is None and mm.mmap_lock.readers == 0, "S8 VMA stability: the child's mmap_lock is in use"
    mm.mmap_lock.writer = current


@atomic
def mmap_write_unlock_nested(mm: MM):
    """Unlock the child's mmap_lock.

    Source: mmap_write_unlock(mm) in dup_mmap, kernel/fork.c, 6.12
    Context: held by current
    Returns: nothing
    Left out: nothing
    """
    vma_end_write_all(mm)
    up_write(mm.mmap_lock)


@atomic
def vma_dup_for_fork(vma: VMA, child: MM) -> VMA:
    """The child's copy of a VMA; VM_LOCKED is not inherited.

    Source: vm_area_dup, anon_vma_fork, vm_flags_clear in dup_mmap, kernel/fork.c, 6.12
    Context: both mmap_locks held for write, the parent's VMA write-locked
    Returns: the VMA, or None (-ENOMEM)
    Left out: policies, userfaultfd, accounting
    """
    copy = vm_area_dup(vma, child, vma.vm_start, vma.vm_end)
    if copy is None:
        return None
    copy.vm_flags &= ~VM_LOCKED
    if vma.vm_flags & VM_WIPEONFORK:
        copy.anon_vma = False
    vma_insert(child, copy)
    return copy


@atomic
def vma_needs_copy(vma: VMA) -> bool:
    """Must page tables be copied, or can the child fault everything in again?

    Source: vma_needs_copy, mm/memory.c, 6.12
    Context: mmap_lock held for write, vma write-locked
    Returns: True if the VMA has an anon_vma: something was copied on write here
    Left out: userfaultfd-wp, PFN and mixed mappings
    """
    return vma.anon_vma


@atomic
def copy_pte_range(vma: VMA, child: MM, start: Address, end: Address) -> int:
    """Copy the entries of one page table and write-protect private pages in both.

    Source: copy_pte_range, copy_present_pte, mm/memory.c, 6.12
    Context: both PTLs; mmap_locks held for write, vma write-locked
    Returns: number of entries copied
    Left out: private pages are shared until written: here each side owns one at once
    """
    mm = vma.vm_mm
    copied = 0
    for address in range(start, end):
        if pte_present(mm, address):
            copied += 1
            if vma.vm_flags & VM_SHARED == 0:
                mm.pte_flags[address] &= ~PTE_WRITE
            if child is not None:
                copy_present_pte(mm, child, address)
    return copied


@atomic
def copy_present_pte(mm: MM, child: MM, address: Address):
    """Give the child one entry.

    Source: copy_present_pte, mm/memory.c, 6.12
    Context: both PTLs
    Returns: nothing
    Left out: nothing
    """
    folio = mm.pte[address]
    if folio is None:
        memory_charge(1)
    else:
        folio.refcount += 1
        folio.mapcount += 1
    pte_alloc(child, address)
    child.pte[address] = folio
    child.pte_flags[address] = mm.pte_flags[address]
    child.page_table[address // PTRS_PER_PTE] += 1


def copy_page_range(vma: VMA, child: MM):
    """Copy the page tables of one VMA, if it needs that.

    Source: copy_page_range, mm/memory.c, 6.12
    Context: both mmap_locks held for write, vma write-locked; takes the PTL of one table after the other
    Returns: nothing
    Left out: mmu notifiers
    """
    if not vma_needs_copy(vma):
        return
    cpu("fork_anon_vma")
    mm = vma.vm_mm
    end = vma_end(vma)
    start = vma_start(vma)
    address: Address = next_page_table(mm, start, end)
    while address < end:
        part_end = page_table_end(address, end)
        copied = copy_pte_range(vma, child, address, part_end)
        cpu("fork_page_table")
        cpu("fork_pte_slot", part_end - address)
        cpu("fork_pte", copied)
        if TLB:
            current.pages_copied += copied
        address = next_page_table(mm, part_end, end)


def dup_mmap_lock_vma(vma: VMA) -> bool:
    """Keep faults out of one VMA while it is copied.

    Source: vma_start_write (6.12, 6.18), vma_start_write_killable (7.0) in dup_mmap
    Context: mmap_lock held for write; waits for the VMA's readers: uninterruptible before 7.0
    Returns: True; False: killed
    Left out: nothing
    """
    if KERNEL_VERSION >= 700:
        return vma_start_write_killable(vma)
    vma_start_write(vma)
    return True


def dup_mmap_vma(vma: VMA, child: MM) -> bool:
    """Copy one VMA.

    Source: body of the loop in dup_mmap, kernel/fork.c, 6.12
    Context: mmap_lock held for write
    Returns: True; False: killed, or no VMA left
    Left out: nothing
    """
    if not dup_mmap_lock_vma(vma):  # 8.5.4a
        return False
    if vma.vm_flags & VM_DONTCOPY:
        return True
    if current.fatal_signal_pending:  # 8.5.4b
        return False
    cpu("fork_vma")
    if child is not None:
        copy = vma_dup_for_fork(vma, child)  # 8.5.4c
        if copy is None:
            return False
        vma_link_file(copy)
    elif vma.vm_file is not None:
        # Model: the child's VMA is not made; its place in the file's list is taken and given back.
        i_mmap_lock_write(vma.vm_file.f_mapping)
        i_mmap_unlock_write(vma.vm_file.f_mapping)
    if vma.vm_flags & VM_WIPEONFORK == 0:
        copy_page_range(vma, child)  # 8.5.4d
    return True


def dup_mmap(child: MM) -> bool:
    """Copy the address space of the current thread into child.

    Source: dup_mmap, kernel/fork.c, 6.12; mm/mmap.c, 7.0
    Context: takes the parent's mmap_lock for write, killable; none held afterwards
    Returns: True; False: killed or out of memory (the child is then incomplete and must exit)
    Left out: uprobes, ksm, khugepaged registration
    """
    mm = current.mm
    if not mmap_write_lock_killable(mm):  # 8.5.1
        return False
    if child is not None:
        mmap_write_lock_nested(child)  # 8.5.2
    cpu("fork_dup_tree", mm.map_count)  # 8.5.3
    complete = True
    vma = find_vma(mm, 0)
    while vma is not None and complete:  # 8.5.4
        complete = dup_mmap_vma(vma, child)
        vma = vma_next(mm, vma)
    if child is not None:
        if not complete:
            child.unstable = True
        mmap_write_unlock_nested(child)
    flush_tlb_mm_range(mm)
    if TLB:
        flush_tlb()
        mm.live_children += 1  # Model: in reality page by page, each in a VMA that is write-locked by then
    mmap_write_unlock(mm)  # 8.5.5
    return complete


@atomic
def wake_up_new_task(child: MM) -> bool:
    """Let a thread that waits for an address space (child_process) run in the new one.

    Source: wake_up_new_task, kernel/fork.c, 6.12
    Context: any
    Returns: True if there was such a thread
    Left out: the copy of everything else that a process has
    """
    for thread in each(Thread):
        if thread.is_unborn:
            thread.is_unborn = False
            thread.mm = child
            thread.parent = current
            current.child_exited = False
            thread.wait_woken = True
            return True
    return False


def sys_fork() -> errno_t:
    """fork(2): a new process with a copy of this address space.

    Source: kernel_clone, copy_process, copy_mm, kernel/fork.c, 6.12
    Context: nothing held before and after
    Returns: 0, or -EINTR, -ENOMEM
    Left out: everything but the address space; a signal pending at the start
    """
    trap_enter()
    emit("FORK_BEGIN")
    child = mm_alloc()
    complete = dup_mmap(child)
    if child is not None:
        started = complete
        if complete:
            started = wake_up_new_task(child)
        if not started:
            mmput(child)
    emit("FORK_END", complete)
    trap_exit()
    if complete:
        return 0
    return -EINTR if current.fatal_signal_pending else -ENOMEM


def kernel_wait4():
    """waitpid(2) for the child of the last successful fork.

    Source: kernel_wait4, kernel/exit.c, 6.12
    Context: nothing held; sleeps, killable (every signal ends it in the kernel)
    Returns: nothing
    Left out: several children
    """
    wait(current.child_exited, killable)
    current.child_exited = False


def child_process():
    """A process that fork has not made yet (boot_child): wait for that, then exit at once.

    Source: ret_from_fork, then exit_group of the child, 6.12
    Context: nothing held
    Returns: nothing
    Left out: what a child does before it exits: a scenario may do more
    """
    wait(current.wait_woken)
    current.wait_woken = False
    do_exit()


@atomic
def boot_child(thread: Thread):
    """Set-up: this thread is not running until a fork gives it an address space.

    Source: none
    Context: set-up, after boot_mm
    Returns: nothing
    Left out: nothing
    """
    if thread.mm is not None:
        thread.mm.users -= 1
    thread.mm = None
    thread.wait_woken = False
    thread.is_unborn = True

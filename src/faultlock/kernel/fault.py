# SPDX-License-Identifier: GPL-2.0-only
"""The architecture's entry (x86): attempts, flags, counters, signals (arch/x86/mm/fault.c; spec 2).

A1 runs under the VMA lock (user mode only), A2 under mmap_lock, A3 under mmap_lock with TRIED.
"""


@atomic
def trap_enter():
    """The thread enters the kernel.

    Source: none (ghost state: what is held is checked when a thread is back in user mode)
    Context: any
    Returns: nothing
    Left out: nothing
    """
    current.kernel_depth += 1
    current.attempts = 0


@atomic
def trap_exit():
    """The thread leaves the kernel (or the kernel-mode access is over).

    Source: none (ghost state)
    Context: any
    Returns: nothing
    Left out: nothing
    """
    current.kernel_depth -= 1
    current.attempts = 0


@atomic
def count_attempt():
    """Count one call of handle_mm_fault in this trap (up to 7).

    Source: none (ghost state of property L5)
    Context: any
    Returns: nothing
    Left out: nothing
    """
    current.attempts = min(current.attempts + 1, 7)


@atomic
def access_error(vma: VMA, write: bool) -> bool:
    """Does the VMA forbid the access?

    Source: access_error, arch/x86/mm/fault.c, 6.12
    Context: vma lock or mmap_lock held
    Returns: True if it does
    Left out: protection keys, shadow stacks, instruction fetch
    """
    if write:
        return (vma.vm_flags & VM_WRITE) == 0
    return (vma.vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) == 0


@atomic
def fault_signal_pending(fault: vm_fault_t, user: bool) -> bool:
    """Should the trap return unmapped because of a signal?

    Source: fault_signal_pending, include/linux/sched/signal.h, 6.12
    Context: any
    Returns: True: RETRY, and a fatal signal (or, from user mode, any signal) is pending
    Left out: nothing
    """
    if (fault & VM_FAULT_RETRY) == 0:
        return False
    return current.fatal_signal_pending or (user and current.signal_pending)


@atomic
def stack_vma_above(mm: MM, address: Address) -> VMA:
    """The stack that may grow down to address.

    Source: expand_stack, lock_mm_and_find_vma, mm/mmap.c, mm/memory.c, 6.12
    Context: mmap_lock
    Returns: the VMA above address if it grows down, else None
    Left out: stack limit, guard gap
    """
    vma = find_vma(mm, address)
    if vma is None or (vma.vm_flags & VM_GROWSDOWN) == 0:
        return None
    return vma


def expand_stack(mm: MM, address: Address) -> VMA:
    """Grow the stack down to address, with mmap_lock for write, then hold it for read.

    Source: expand_stack, upgrade_mmap_lock_carefully, mm/mmap.c, mm/memory.c, 6.12
    Context: mmap_lock not held; sleeps, killable; returns with it held for read unless None
    Returns: the VMA, or None (nothing held)
    Left out: accounting of stack pages
    """
    if not mmap_write_lock_killable(mm):
        return None
    vma = vma_lookup(mm, address)
    if vma is None:
        vma = stack_vma_above(mm, address)
        if vma is None:
            mmap_write_unlock(mm)
            return None
        vma_start_write(vma)
        vma.vm_start = address
    mmap_write_downgrade(mm)
    return vma


def lock_mm_and_find_vma(mm: MM, address: Address) -> VMA:
    """Take mmap_lock for read and find the VMA, growing a stack if needed.

    Source: lock_mm_and_find_vma, mm/memory.c, 6.12
    Context: nothing held; sleeps, killable; returns with mmap_lock held for read unless None
    Returns: the VMA, or None (nothing held): no mapping, or killed
    Left out: kernel-mode traps without an exception-table entry, which do not wait
    """
    if not mmap_read_trylock(mm):
        if not mmap_read_lock_killable(mm):
            return None
    vma = vma_lookup(mm, address)
    cpu("vma_lookup")
    if vma is not None:
        return vma
    vma = stack_vma_above(mm, address)
    mmap_read_unlock(mm)
    if vma is None:
        return None
    return expand_stack(mm, address)


def fault_with_vma_lock(address: Address, write: bool, flags: fault_flag_t) -> int:
    """Attempt A1.

    Source: do_user_addr_fault, part under CONFIG_PER_VMA_LOCK, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after
    Returns: the result; -1: the VMA lock was not available, take mmap_lock
    Left out: nothing
    """
    vma = lock_vma_under_rcu(current.mm, address)  # 2.2.3
    if vma is None:
        return -1
    if access_error(vma, write):  # 2.2.4
        vma_end_read(vma)
        emit("VMA_LOCK_SUCCESS")
        return VM_FAULT_SIGSEGV
    count_attempt()
    fault = handle_mm_fault(vma, address, flags | FAULT_FLAG_VMA_LOCK)  # 2.2.5
    if (fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) == 0:
        vma_end_read(vma)
    if (fault & VM_FAULT_RETRY) == 0:  # 2.2.6
        emit("VMA_LOCK_SUCCESS")
    else:
        emit("VMA_LOCK_RETRY")
    return fault


def fault_with_mmap_lock(address: Address, write: bool, user: bool, first_flags: fault_flag_t) -> int:
    """Attempts A2, A3 ...

    Source: do_user_addr_fault from label `retry` on, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after
    Returns: the result; RETRY: a signal ended it
    Left out: nothing
    """
    flags = first_flags
    while True:
        vma = lock_mm_and_find_vma(current.mm, address)  # 2.2.8
        if vma is None:
            return VM_FAULT_SIGSEGV
        if access_error(vma, write):  # 2.2.9
            mmap_read_unlock(current.mm)
            return VM_FAULT_SIGSEGV
        count_attempt()
        fault = handle_mm_fault(vma, address, flags)  # 2.2.10
        if fault_signal_pending(fault, user):  # 2.2.11
            return fault
        if (fault & VM_FAULT_COMPLETED) != 0:  # 2.2.12
            return fault
        if (fault & VM_FAULT_RETRY) == 0:
            mmap_read_unlock(current.mm)
            return fault
        flags |= FAULT_FLAG_TRIED


@atomic
def trap_result(fault: vm_fault_t, user: bool) -> Trap:
    """What the trap does with the final result.

    Source: end of do_user_addr_fault, arch/x86/mm/fault.c, 6.12
    Context: nothing held
    Returns: how the access ended
    Left out: pagefault_out_of_memory; the OOM killer is an actor of its own
    """
    if (fault & VM_FAULT_RETRY) != 0:
        if user:
            return Trap.SIGNAL
        return Trap.FIXUP
    if (fault & VM_FAULT_ERROR) == 0:
        return Trap.MAPPED
    if not user:
        return Trap.FIXUP
    if (fault & VM_FAULT_OOM) != 0:
        return Trap.OOM
    if (fault & VM_FAULT_SIGSEGV) != 0:
        return Trap.SIGSEGV
    return Trap.SIGBUS


def do_user_addr_fault(address: Address, write: bool, user: bool) -> Trap:
    """A page fault on a user address.

    Source: do_user_addr_fault, arch/x86/mm/fault.c, 6.12
    Context: nothing held before and after (a kernel-mode access may hold i_rwsem and the like)
    Returns: how it ended
    Left out: instruction fetches count as reads; perf events
    """
    trap_enter()  # 2.2.1
    cpu("fault_entry")
    emit("FAULT_BEGIN", address, write, user)
    flags: fault_flag_t = FAULT_FLAG_DEFAULT
    if write:
        flags |= FAULT_FLAG_WRITE
    fault = -1
    if user:  # 2.2.2
        flags |= FAULT_FLAG_USER
        fault = fault_with_vma_lock(address, write, flags)
        if fault != -1:
            if (fault & (VM_FAULT_RETRY | VM_FAULT_MAJOR)) == (VM_FAULT_RETRY | VM_FAULT_MAJOR):  # 2.2.7
                flags |= FAULT_FLAG_TRIED
            if (fault & VM_FAULT_RETRY) != 0:
                if not fault_signal_pending(fault, user):
                    fault = -1
    if fault == -1:
        fault = fault_with_mmap_lock(address, write, user, flags)
    emit("FAULT_END", address, fault, user)
    cpu("fault_exit")
    if memory_is_over_high():
        if user:
            mem_cgroup_handle_over_high()
    trap_exit()
    return trap_result(fault, user)  # 2.2.13


@atomic
def access_allowed(address: Address, write: bool) -> bool:
    """Does the page table allow the access?  If so the CPU marks the entry used.

    Source: the processor's page walk
    Context: user mode, or copy_from_user
    Returns: True if no fault is needed
    Left out: TLB
    """
    mm = current.mm
    if not pte_present(mm, address):
        return False
    if write and (mm.pte_flags[address] & PTE_WRITE) == 0:
        return False
    mm.pte_flags[address] |= PTE_ACCESSED
    return True


def touch(address: Address, write: bool, user: bool) -> Trap:
    """One load or store of a user address: repeat the trap until the page is mapped.

    Source: the instruction, and exc_page_fault, arch/x86/mm/fault.c, 6.12
    Context: nothing held; user False: on behalf of the kernel (copy_from_user ...)
    Returns: MAPPED, or why not; SIGNAL: a fatal signal (an ordinary one is handled, and the instruction repeated)
    Left out: the signal handler itself
    """
    while True:
        if access_allowed(address, write):
            return Trap.MAPPED
        result = do_user_addr_fault(address, write, user)
        if result != Trap.MAPPED and result != Trap.SIGNAL:
            return result
        if result == Trap.SIGNAL:
            if current.fatal_signal_pending:
                return result
        if user:
            current.signal_pending = False

# SPDX-License-Identifier: GPL-2.0-only
"""The TLB, as far as it decides whether a write to a thread's own page is seen (simulator only).

fork write-protects private pages VMA by VMA, but flushes the TLB only at its end: until then a
thread whose writable entry is still there goes on writing, and one that has lost it faults, finds
the VMA write-locked, and waits for the fork.

The form is that of QEMU's softmmu TLB: direct-mapped, TLB_VICTIMS entries for what was pushed out,
and a size that follows the use (tlb_mmu_resize_locked, accel/tcg/cputlb.c, QEMU 7.2).
# Model: one TLB for all CPUs; TLB_SLOTS_MIN == TLB_SLOTS: its size is fixed.
"""

TLB_SLOTS: Param = 1  # at most; a power of two
TLB_SLOTS_MIN: Param = 1  # at least; a power of two
TLB_VICTIMS = 8
TLB_OTHERS = 5  # entries that are needed all the time: tlb_other
TLB_WINDOW = 16  # flushes between two looks at whether it may become smaller
# 1: the TLB is emptied whenever a CPU changes to another address space (no PCID, as in QEMU's CPU
# model); 0: only by flushes.
TLB_FLUSHED_BY_SWITCH: Param = 1


class tlb(Struct, count=1):
    """Entries that allow a write.  An entry is valid if its `flush` is the number of the last one."""

    flushes: int
    slots: int  # 0 at the start: TLB_SLOTS_MIN
    used: int  # since the last flush
    most_used: int  # of all intervals since `window` began
    window: int
    page: Array[TLB_SLOTS, int]
    flush: Array[TLB_SLOTS, int]
    victim_page: Array[TLB_VICTIMS, int]
    victim_flush: Array[TLB_VICTIMS, int]
    next_victim: int


@atomic
def flush_tlb():
    """Empty the TLB; its size follows what was used of it.

    Source: flush_tlb_mm at the end of dup_mmap, kernel/fork.c, 6.12; tlb_mmu_resize_locked, QEMU 7.2
    Context: any
    Returns: nothing
    Left out: flushes of single pages and ranges
    """
    slots = max(tlb.slots, TLB_SLOTS_MIN)
    tlb.most_used = max(tlb.most_used, min(tlb.used + TLB_OTHERS, slots))
    most = tlb.most_used
    tlb.window += 1
    tlb.used = 0
    tlb.flushes += 1
    if most * 100 // slots > 70:
        tlb.slots = min(slots * 2, TLB_SLOTS)
        tlb.most_used = 0
        tlb.window = 0
    elif tlb.window >= TLB_WINDOW:
        while slots > TLB_SLOTS_MIN and most * 100 // slots < 35:
            slots = slots // 2
        tlb.slots = slots
        tlb.most_used = 0
        tlb.window = 0


@atomic
def other_cpus_of(mm: MM) -> int:
    """On how many other CPUs threads of an address space have run.

    Source: mm_cpumask, cpumask_any_but in flush_tlb_mm_range, arch/x86/mm/tlb.c, 6.12
    Context: any
    Returns: CPUs; as many as it has threads, as far as the machine has them
    Left out: CPUs that have left it since
    """
    return max(min(mm.users, N_CPUS) - 1, 0)


def flush_tlb_mm_range(mm: MM):
    """Entries of an address space have become invalid: flush here, and interrupt all other CPUs.

    A CPU that spins with interrupts off (for lru_lock) answers once it has had its lock.

    Source: flush_tlb_mm_range, native_flush_tlb_multi, arch/x86/mm/tlb.c;
    smp_call_function_many_cond, kernel/smp.c, 6.12
    Context: any; preemption is off while it waits for the answers
    Returns: nothing
    Left out: the time that it takes the other CPUs; CPUs in lazy TLB mode are not asked; INVLPGB
    """
    cpu("tlb_flush")
    cpu("flush_tlb_multi", other_cpus_of(mm))


@atomic
def set_tlb_ubc_flush_pending(mm: MM):
    """Reclaim has removed entries of an address space, and has not flushed the TLBs.

    Source: set_tlb_ubc_flush_pending, should_defer_flush, mm/rmap.c; TLB_FLUSH_BATCH_PENDING_LARGE, 6.12
    Context: PTL
    Returns: nothing
    Left out: nothing; with no other CPU that may have the entries nothing is deferred
    """
    if other_cpus_of(mm) > 0:
        if mm.tlb_flush_pending > 16383:
            mm.tlb_flush_pending = 0
            mm.tlb_flush_flushed = 0
        mm.tlb_flush_pending += 1


def flush_tlb_batched_pending(mm: MM):
    """Before entries are changed: flush what reclaim has removed since somebody flushed last.

    What the reclaimer flushes itself (try_to_unmap_flush) does not count, so under reclaim each page
    table that is zapped or changed begins with a flush of all CPUs.

    Source: flush_tlb_batched_pending, mm/rmap.c; arch_flush_tlb_batched_pending, 6.12
    Context: PTL
    Returns: nothing
    Left out: nothing
    """
    with atomic:
        batch: int = mm.tlb_flush_pending
        deferred: bool = batch != mm.tlb_flush_flushed
    if deferred:
        flush_tlb_mm_range(mm)
        with atomic:  # if more was removed meanwhile it is not flushed
            if mm.tlb_flush_pending == batch:
                mm.tlb_flush_flushed = batch


@atomic
def note_unmapped():
    """Reclaim has removed entries: remember that other CPUs may still have them.

    Source: set_tlb_ubc_flush_pending, should_defer_flush, mm/rmap.c, 6.12
    Context: reclaim
    Returns: nothing
    Left out: several address spaces in one batch: the flush goes to the CPUs of the reclaimer's
    """
    if VMSCAN == 1 and current.mm is not None:
        current.tlb_ubc = current.mm


def try_to_unmap_flush():
    """Flush once for all entries that a batch of reclaim has removed.

    Source: try_to_unmap_flush, mm/rmap.c; arch_tlbbatch_flush, arch/x86/mm/tlb.c, 6.12
    Context: reclaim, before the batch is freed
    Returns: nothing
    Left out: the flush of this CPU is part of the cost of try_to_unmap
    """
    if current.tlb_ubc is not None:
        cpu("flush_tlb_multi", other_cpus_of(current.tlb_ubc))
        current.tlb_ubc = None


@atomic
def switch_mm(used: int):
    """A CPU has changed to another address space, after `used` entries more in the one it leaves.

    Source: switch_mm_irqs_off, arch/x86/mm/tlb.c, 6.12
    Context: the child of a fork: nobody else runs in another address space here
    Returns: nothing
    Left out: address space identifiers (PCID)
    """
    if TLB_FLUSHED_BY_SWITCH:
        tlb.used += used
        flush_tlb()


@atomic
def tlb_victim(page: int):
    """Keep an entry that was pushed out, in place of the oldest of those.

    Source: tlb_set_page_full, QEMU 7.2
    Context: any
    Returns: nothing
    Left out: nothing
    """
    slot = tlb.next_victim
    tlb.victim_page[slot] = page
    tlb.victim_flush[slot] = tlb.flushes
    tlb.next_victim = (slot + 1) % TLB_VICTIMS


@atomic
def tlb_other(slot: int) -> bool:
    """Is the slot needed all the time, by the program's text or the vDSO?

    Source: addresses of gt.c linked statically: text at 0x401000, 0x402000, 0x42f000; vDSO and its data
    Context: any
    Returns: True: whatever comes in between is pushed out at once
    Left out: they move with the size of the TLB, and from run to run
    """
    return slot == 1 or slot == 2 or slot == 31 or slot == 35 or slot == 47


@atomic
def tlb_hit(page: int, position: int) -> bool:
    """Is there an entry that allows a write to this page?  One that was pushed out comes back.

    Source: victim_tlb_hit, accel/tcg/cputlb.c, QEMU 7.2
    Context: user mode; position: the page's number as far as it chooses the slot
    Returns: True: the write needs no page table
    Left out: nothing
    """
    slot = position % max(tlb.slots, TLB_SLOTS_MIN)
    valid = tlb.flush[slot] == tlb.flushes
    if valid and tlb.page[slot] == page:
        return True
    for i in range(0, TLB_VICTIMS):
        if tlb.victim_page[i] == page and tlb.victim_flush[i] == tlb.flushes:
            if valid:
                tlb.victim_page[i] = tlb.page[slot]
            else:
                tlb.victim_flush[i] = -1
            tlb.page[slot] = page
            tlb.flush[slot] = tlb.flushes
            return True
    return False


@atomic
def tlb_fill(page: int, position: int):
    """The page table allowed an access: there is an entry for the page now.

    Source: tlb_set_page_full, accel/tcg/cputlb.c, QEMU 7.2
    Context: user mode; position: as for tlb_hit, which found nothing
    Returns: nothing
    Left out: nothing
    """
    slot = position % max(tlb.slots, TLB_SLOTS_MIN)
    valid = tlb.flush[slot] == tlb.flushes
    if tlb_other(slot):
        tlb_victim(page)  # the program needs the slot again at once
    else:
        if valid:
            tlb_victim(tlb.page[slot])
        else:
            tlb.used += 1
        tlb.page[slot] = page
        tlb.flush[slot] = tlb.flushes

# SPDX-License-Identifier: GPL-2.0-only
"""The OOM killer and its reaper (mm/oom_kill.c; spec 8.12)."""

MAX_OOM_REAP_RETRIES = 10


def out_of_memory(victim: MM) -> bool:
    """Kill a process and let the reaper take its memory.

    Source: out_of_memory, oom_kill_process, __oom_kill_process, mm/oom_kill.c, 6.12
    Context: nothing of this model held
    Returns: True if the reaper got its memory
    Left out: choosing the victim; the reaper is a thread of its own in the kernel
    """
    emit("OOM_KILL", victim)
    group_send_sigkill(victim)  # 8.12.1
    return oom_reap_task(victim)


def __oom_reap_task_mm(mm: MM):
    """Empty the private mappings of a dying process.

    Source: __oom_reap_task_mm, mm/oom_kill.c, 6.12
    Context: mmap_lock held for read
    Returns: nothing
    Left out: hugetlb, mmu notifiers
    """
    mm.unstable = True
    vma = find_vma(mm, 0)
    while vma is not None:
        vm_flags = vma.vm_flags
        if vm_flags & VM_SHARED == 0:
            start = vma_start(vma)
            end = vma_end(vma)
            zap_page_range_single(vma, start, end, True)
        vma = vma_next(mm, vma)


def oom_reap_task_mm(mm: MM) -> bool:
    """One try of the reaper.

    Source: oom_reap_task_mm, mm/oom_kill.c, 6.12
    Context: mmap_lock read by trylock
    Returns: True if there is nothing left to do
    Left out: nothing
    """
    if not mmap_read_trylock(mm):
        return False
    if not mm.oom_skip:
        __oom_reap_task_mm(mm)
    mmap_read_unlock(mm)
    return True


def oom_reap_task(mm: MM) -> bool:
    """Try up to ten times, a tenth of a second apart, then give the victim up.

    Source: oom_reap_task, mm/oom_kill.c, 6.12
    Context: nothing held
    Returns: True if reaped; False: gave up, the next victim may be chosen
    Left out: nothing
    """
    attempts = 0
    while attempts < MAX_OOM_REAP_RETRIES:
        attempts += 1
        if oom_reap_task_mm(mm):  # 8.12.2
            mm.oom_skip = True
            return True
        sleep(100000)
    mm.oom_skip = True  # 8.12.3
    emit("OOM_GIVE_UP", mm)
    return False

# SPDX-License-Identifier: GPL-2.0-only
"""reaper-without-lock: the OOM reaper empties page tables without mmap_lock.

Must be found as: S0 in oom+any
"""

base = "drop-retry"


def oom_reap_task_mm(mm: MM) -> bool:
    """One try of the reaper.

    Source: oom_reap_task_mm, mm/oom_kill.c, 6.12
    Context: mmap_lock read by trylock
    Returns: True if there is nothing left to do
    Left out: nothing
    """
    if not mm.oom_skip:
        __oom_reap_task_mm(mm)
    return True

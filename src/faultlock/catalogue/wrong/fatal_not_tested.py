# SPDX-License-Identifier: GPL-2.0-only
"""fatal-not-tested: a fault of the kernel that is killed is redone for ever.

Must be found as: L8 in fault+kill+stuck-disk
"""

base = "drop-retry"


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
    return user and current.signal_pending

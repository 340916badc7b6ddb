# SPDX-License-Identifier: GPL-2.0-only
"""signal-check-missing: a fault that has to be redone does not look at signals.

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
    return False

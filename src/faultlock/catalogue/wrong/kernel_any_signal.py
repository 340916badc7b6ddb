# SPDX-License-Identifier: GPL-2.0-only
"""kernel-any-signal: an access of the kernel fails when any signal is pending, not only a fatal one.

Must be found as: S5 in kernel-fault+signal
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
    return current.fatal_signal_pending or current.signal_pending

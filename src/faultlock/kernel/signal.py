# SPDX-License-Identifier: GPL-2.0-only
"""Signals, as far as they end waits (kernel/signal.c).

A fatal signal wakes a thread from a killable wait: `wait(..., killable)` ends when
fatal_signal_pending is set.  An ordinary signal only makes a trap that has to be redone return
to user mode first.
"""


@atomic
def send_sigkill(thread: Thread):
    """Kill one thread.

    Source: complete_signal, kernel/signal.c, 6.12
    Context: any
    Returns: nothing
    Left out: nothing
    """
    thread.fatal_signal_pending = True
    emit("SIGKILL", thread)


@atomic
def group_send_sigkill(mm: MM):
    """Kill all threads of a process.

    Source: complete_signal (SIGKILL goes to the whole thread group), kernel/signal.c, 6.12
    Context: any
    Returns: nothing
    Left out: processes that share an mm without being one thread group
    """
    for thread in each(Thread):
        if thread.mm == mm:
            send_sigkill(thread)


@atomic
def send_signal(thread: Thread):
    """Send an ordinary signal with a handler.

    Source: send_signal_locked, kernel/signal.c, 6.12
    Context: any
    Returns: nothing
    Left out: blocked signals, interruptible sleeps (no wait of the fault path is one)
    """
    thread.signal_pending = True
    emit("SIGNAL", thread)

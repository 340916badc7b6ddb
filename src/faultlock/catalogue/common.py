# SPDX-License-Identifier: GPL-2.0-only
"""What several scenarios share; loaded with every scenario."""


@atomic
def task(number: ThreadCount) -> Thread:
    """The thread with that number (threads are numbered in the order of the scenario's file)."""
    rest = number
    for thread in each(Thread):
        rest -= 1
        if rest == 0:
            return thread
    return None


@atomic
def kill_task(number: ThreadCount):
    """Send SIGKILL to the thread with that number."""
    send_sigkill(task(number))

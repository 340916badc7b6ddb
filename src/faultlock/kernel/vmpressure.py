# SPDX-License-Identifier: GPL-2.0-only
"""How hard reclaim finds it (mm/vmpressure.c).

Nobody here listens to it, but each 512 scanned pages wake a kworker, which takes the CPU from the
task that scans; who runs after the kworker is another task.  That makes the turns of those who
reclaim shorter than a slice, so more of them are in the middle of a window at any time.  The same
for the machine's memory and for that of a memory cgroup (each has its struct vmpressure).
"""

VMPRESSURE_WIN = 512  # scanned pages: SWAP_CLUSTER_MAX * 16
VMPRESSURE_LEVEL_CRITICAL_PRIO = 3


@atomic
def vmpressure(scanned: int):
    """Account scanned pages; let the kworker look at them when they are many.

    Source: vmpressure, mm/vmpressure.c, 6.12
    Context: after each round of reclaim; vmpr->sr_lock
    Returns: nothing
    Left out: reclaimed pages (the level is for user space), a second count of a cgroup without its children
    """
    if VMSCAN == 0 or scanned == 0:
        return
    lruvec.tree_scanned += scanned
    if lruvec.tree_scanned < VMPRESSURE_WIN:
        return
    lruvec.vmpressure_pending = True
    worker = lruvec.vmpressure_worker
    if worker is not None:
        lruvec.vmpressure_worker = None
        worker.wait_woken = True


def vmpressure_prio(priority: int):
    """Reclaim looks at an eighth of a list or more at once: that alone is pressure.

    Source: vmpressure_prio, mm/vmpressure.c, 6.12
    Context: direct reclaim, before each round
    Returns: nothing
    Left out: nothing
    """
    if priority <= VMPRESSURE_LEVEL_CRITICAL_PRIO:
        vmpressure(VMPRESSURE_WIN)


@atomic
def vmpressure_work_begin() -> bool:
    """Take up the work, or go to sleep when there is none.

    Source: worker_thread, kernel/workqueue.c; vmpressure_work_fn, mm/vmpressure.c, 6.12
    Context: kworker
    Returns: True if the kworker now sleeps
    Left out: telling the levels to those who listen
    """
    if lruvec.vmpressure_pending:
        lruvec.vmpressure_pending = False
        lruvec.tree_scanned = 0
        return False
    current.wait_woken = False
    lruvec.vmpressure_worker = current
    return True


@role
def kworker_vmpressure():
    """The kworker, for ever.

    Source: worker_thread, kernel/workqueue.c, 6.12
    Context: kernel thread
    Returns: never
    Left out: other work
    """
    while True:
        if vmpressure_work_begin():
            wait(current.wait_woken, on=lruvec)
        else:
            cpu("vmpressure_work")

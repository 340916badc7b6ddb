# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""Which CPU a woken thread runs on, and what an idle CPU takes over (simple forms of
select_idle_sibling() and newidle balancing; one cache domain)."""

from __future__ import annotations

from faultlock.sim.arrays import CPUS, WORKER_THREAD, Engine
from faultlock.sim.compiled import compiled
from faultlock.sim.scheduler import dequeue_delayed, queue_at, queue_remove, update_lag


@compiled
def choose_cpu(engine: Engine, thread: int, by_cpu: int) -> int:
    """Its last CPU when that is idle, else the next idle one, else its last.

    Work is done where it was queued: each CPU has its kworkers, which stay there (here it is one
    thread that stands for them, as there is one work item)."""
    last = engine.cpu_of[thread]
    if thread == engine.scalars[WORKER_THREAD]:
        if engine.delayed[thread] and last != by_cpu:
            dequeue_delayed(engine, last, thread)
        return by_cpu
    if engine.delayed[thread]:
        return last
    cpus = engine.scalars[CPUS]
    for offset in range(cpus):
        cpu = (last + offset) % cpus
        if engine.current[cpu] == 0 and engine.queue_length[cpu] == 0:
            return cpu
    return last


@compiled
def pull_work(engine: Engine, cpu: int) -> int:
    """A thread from the longest other queue, moved to `cpu` with its lag; 0 when there is none."""
    source = -1
    for other in range(engine.scalars[CPUS]):
        waiting = engine.queue_length[other] if other != cpu else 0
        if waiting > 0 and (source < 0 or waiting > engine.queue_length[source]):
            source = other
    if source < 0:
        return 0
    for position in range(engine.queue_length[source] - 1, -1, -1):
        thread = queue_at(engine, source, position)
        if engine.delayed[thread] or thread == engine.scalars[WORKER_THREAD]:
            continue
        update_lag(engine, source, thread)
        deadline = engine.deadline[thread] - engine.vruntime[thread]
        queue_remove(engine, source, thread)
        if engine.queue_length[source] > 0 or engine.current[source]:
            engine.vruntime_sum[source] -= engine.vruntime[thread]
        engine.vruntime[thread] = engine.vruntime_sum[cpu]
        engine.deadline[thread] = engine.vruntime[thread] + deadline
        engine.cpu_of[thread] = cpu
        return thread
    return 0

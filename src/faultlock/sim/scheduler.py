# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""The fair scheduler of one CPU, as in kernel/sched/fair.c of 6.12 (EEVDF), equal weights.

Rules kept: lag is preserved over sleep (PLACE_LAG), a sleeper that is not eligible stays on
the queue until it is (DELAY_DEQUEUE, DELAY_ZERO), a new task starts with half a slice
(PLACE_DEADLINE_INITIAL), the current thread runs on until its slice is used up or it is no
longer eligible (RUN_TO_PARITY).  All threads have nice level 0, so weights cancel.
"""

from __future__ import annotations

from faultlock.sim.arrays import IN_IRQ, IRQ_CPU, IRQ_TIME, NOW, SLICE_NS, TICK_NS, Engine
from faultlock.sim.compiled import compiled


@compiled
def _count(engine: Engine, cpu: int) -> int:
    current = engine.current[cpu]
    extra = 1 if current and engine.on_rq[current] else 0
    return engine.queue_length[cpu] + extra


@compiled
def average_vruntime(engine: Engine, cpu: int) -> int:
    """avg_vruntime(): where an entity with zero lag stands; 0 on an empty queue's CPU."""
    count = _count(engine, cpu)
    if count == 0:
        return engine.vruntime_sum[cpu]
    return engine.vruntime_sum[cpu] // count


@compiled
def eligible(engine: Engine, cpu: int, thread: int) -> bool:
    """entity_eligible(): the thread has not received more than its share."""
    return engine.vruntime_sum[cpu] >= engine.vruntime[thread] * _count(engine, cpu)


@compiled
def queue_at(engine: Engine, cpu: int, position: int) -> int:
    """The thread at a position of the queue, from the earliest deadline on."""
    mask = engine.queue.shape[1] - 1
    return engine.queue[cpu, (engine.queue_first[cpu] + position) & mask]


@compiled
def _position(engine: Engine, cpu: int, deadline: int, behind: bool) -> int:
    """The first position whose deadline is not earlier (behind: is later) than this one."""
    queue, deadlines = engine.queue[cpu], engine.deadline
    first, mask = engine.queue_first[cpu], engine.queue.shape[1] - 1
    low, high = 0, engine.queue_length[cpu]
    while low < high:
        middle = (low + high) // 2
        other = deadlines[queue[(first + middle) & mask]]
        if other < deadline or (behind and other == deadline):
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def queue_insert(engine: Engine, cpu: int, thread: int) -> None:
    """__enqueue_entity(): into the queue, ordered by deadline (first come first at a tie).

    The queue is a ring; the shorter side of it moves: threads leave at the front and come in
    near the back, so a long queue costs little more than a short one."""
    queue, length = engine.queue[cpu], engine.queue_length[cpu]
    at = _position(engine, cpu, engine.deadline[thread], True)
    mask = engine.queue.shape[1] - 1
    if at < length - at:
        engine.queue_first[cpu] = (engine.queue_first[cpu] - 1) & mask
        first = engine.queue_first[cpu]
        for position in range(at):
            queue[(first + position) & mask] = queue[(first + position + 1) & mask]
    else:
        first = engine.queue_first[cpu]
        for position in range(length, at, -1):
            queue[(first + position) & mask] = queue[(first + position - 1) & mask]
    queue[(first + at) & mask] = thread
    engine.queue_length[cpu] = length + 1


@compiled
def queue_remove(engine: Engine, cpu: int, thread: int) -> None:
    """__dequeue_entity()."""
    queue, length = engine.queue[cpu], engine.queue_length[cpu]
    first, mask = engine.queue_first[cpu], engine.queue.shape[1] - 1
    at = _position(engine, cpu, engine.deadline[thread], False)
    while at < length and queue[(first + at) & mask] != thread:
        at += 1
    if at >= length:
        return
    if at < length - at:
        for position in range(at, 0, -1):
            queue[(first + position) & mask] = queue[(first + position - 1) & mask]
        engine.queue_first[cpu] = (first + 1) & mask
    else:
        for position in range(at, length - 1):
            queue[(first + position) & mask] = queue[(first + position + 1) & mask]
    engine.queue_length[cpu] = length - 1


@compiled
def _join(engine: Engine, cpu: int, thread: int) -> None:
    if _count(engine, cpu) == 0:
        engine.vruntime_sum[cpu] = 0
    engine.vruntime_sum[cpu] += engine.vruntime[thread]


@compiled
def _leave(engine: Engine, cpu: int, thread: int) -> None:
    """Take the thread's vruntime out of the sum; an empty queue keeps it as its zero point."""
    if _count(engine, cpu) > 1:
        engine.vruntime_sum[cpu] -= engine.vruntime[thread]


@compiled
def clock(engine: Engine, cpu: int) -> int:
    """rq_clock_task(): with what the CPU has done since, and the engine has not let pass yet (the
    wake-ups before this one, in the same interrupt or by the same thread)."""
    scalars = engine.scalars
    if scalars[IN_IRQ] and cpu == scalars[IRQ_CPU]:
        return scalars[NOW] + scalars[IRQ_TIME]
    return scalars[NOW] + engine.debt[cpu]


@compiled
def update_current(engine: Engine, cpu: int) -> None:
    """update_curr(): charge the time since the last call; a used-up slice asks for resched."""
    now = clock(engine, cpu)
    delta = now - engine.exec_start[cpu]
    thread = engine.current[cpu]
    if thread == 0 or delta <= 0:
        return
    engine.exec_start[cpu] = now
    engine.vruntime[thread] += delta
    if engine.on_rq[thread]:
        engine.vruntime_sum[cpu] += delta
    used_up = engine.vruntime[thread] >= engine.deadline[thread]
    if used_up:
        engine.deadline[thread] = engine.vruntime[thread] + engine.scalars[SLICE_NS]
    if _count(engine, cpu) > 1 and (used_up or _lost_turn(engine, cpu, thread)):
        engine.resched[cpu] = 1


@compiled
def _lost_turn(engine: Engine, cpu: int, thread: int) -> bool:
    """did_preempt_short(): past its protected slice, and no longer eligible."""
    protected = engine.vlag[thread] == engine.deadline[thread]
    return not protected and not eligible(engine, cpu, thread)


@compiled
def update_lag(engine: Engine, cpu: int, thread: int) -> None:
    """update_entity_lag(): what the thread is owed, limited to two slices or one tick."""
    limit = max(2 * engine.scalars[SLICE_NS], engine.scalars[TICK_NS])
    lag = average_vruntime(engine, cpu) - engine.vruntime[thread]
    engine.vlag[thread] = min(max(lag, -limit), limit)


@compiled
def place(engine: Engine, cpu: int, thread: int, initial: bool) -> None:
    """place_entity(): vruntime and deadline of a thread that joins the queue."""
    average = average_vruntime(engine, cpu)
    lag, count = engine.vlag[thread], _count(engine, cpu)
    if count == 0:
        lag = 0
    elif lag:
        scaled = lag * (count + 1)
        lag = scaled // count if scaled >= 0 else -((-scaled) // count)
    engine.vruntime[thread] = average - lag
    slice_ns = engine.scalars[SLICE_NS]
    if initial:
        slice_ns //= 2
    engine.deadline[thread] = engine.vruntime[thread] + slice_ns


@compiled
def enqueue(engine: Engine, cpu: int, thread: int, initial: bool) -> None:
    """enqueue_entity(), or requeue_delayed_entity() for a sleeper that never left: then the
    current thread's time since the last update is not charged yet when the lag is taken."""
    if engine.delayed[thread]:
        update_lag(engine, cpu, thread)
        if engine.vlag[thread] > 0:
            queue_remove(engine, cpu, thread)
            engine.on_rq[thread] = 0
            if _count(engine, cpu) > 0:
                engine.vruntime_sum[cpu] -= engine.vruntime[thread]
            engine.vlag[thread] = 0
            place(engine, cpu, thread, False)
            _enter(engine, cpu, thread)
        engine.delayed[thread] = 0
        return
    update_current(engine, cpu)
    place(engine, cpu, thread, initial)
    _enter(engine, cpu, thread)


@compiled
def _enter(engine: Engine, cpu: int, thread: int) -> None:
    """__enqueue_entity() of a placed thread."""
    _join(engine, cpu, thread)
    engine.on_rq[thread] = 1
    queue_insert(engine, cpu, thread)


@compiled
def enqueue_as(engine: Engine, cpu: int, thread: int, vruntime: int, deadline: int) -> None:
    """A thread that is in the queue when the run starts, with times that it has from before."""
    engine.vruntime[thread] = vruntime
    engine.deadline[thread] = deadline
    _enter(engine, cpu, thread)


@compiled
def dequeue_current(engine: Engine, cpu: int, dead: bool) -> None:
    """The current thread goes to sleep: dequeue_entity(), maybe delayed; not when it is dead
    (DEQUEUE_SPECIAL)."""
    thread = engine.current[cpu]
    update_current(engine, cpu)
    if not dead and not eligible(engine, cpu, thread):
        engine.delayed[thread] = 1
        engine.current[cpu] = 0
        queue_insert(engine, cpu, thread)
        return
    update_lag(engine, cpu, thread)
    _leave(engine, cpu, thread)
    engine.on_rq[thread] = 0
    engine.current[cpu] = 0


@compiled
def put_current(engine: Engine, cpu: int) -> None:
    """put_prev_entity(): the current thread stays runnable but leaves the CPU."""
    thread = engine.current[cpu]
    update_current(engine, cpu)
    engine.current[cpu] = 0
    queue_insert(engine, cpu, thread)


@compiled
def pick(engine: Engine, cpu: int) -> int:
    """pick_eevdf(): the eligible thread with the earliest deadline; 0 when there is none."""
    current, length = engine.current[cpu], engine.queue_length[cpu]
    has_current = current != 0 and engine.on_rq[current] == 1
    if length == 0:
        return current if has_current else 0
    if length == 1 and not has_current:
        return queue_at(engine, cpu, 0)
    if has_current and not eligible(engine, cpu, current):
        has_current = False
    if has_current and engine.vlag[current] == engine.deadline[current]:
        return current
    best = 0
    for position in range(length):
        thread = queue_at(engine, cpu, position)
        if eligible(engine, cpu, thread):
            best = thread
            break
    if best == 0:
        return current if has_current else queue_at(engine, cpu, 0)
    if has_current and engine.deadline[current] < engine.deadline[best]:
        return current
    return best


@compiled
def dequeue_delayed(engine: Engine, cpu: int, thread: int) -> None:
    """dequeue_entities(DEQUEUE_DELAYED): a sleeper leaves the queue; DELAY_ZERO."""
    queue_remove(engine, cpu, thread)
    engine.queue_length[cpu] += 1  # still counted while its lag is taken
    update_lag(engine, cpu, thread)
    engine.queue_length[cpu] -= 1
    if engine.vlag[thread] > 0:
        engine.vlag[thread] = 0
    if _count(engine, cpu) > 0:
        engine.vruntime_sum[cpu] -= engine.vruntime[thread]
    engine.delayed[thread] = 0
    engine.on_rq[thread] = 0


@compiled
def pick_next(engine: Engine, cpu: int) -> int:
    """pick_next_entity(): as pick, after letting go of sleepers whose dequeue was delayed."""
    while True:
        thread = pick(engine, cpu)
        if thread == 0 or not engine.delayed[thread]:
            return thread
        dequeue_delayed(engine, cpu, thread)


@compiled
def set_next(engine: Engine, cpu: int, thread: int) -> None:
    """set_next_entity(): the thread becomes current; its deadline at the pick is remembered."""
    queue_remove(engine, cpu, thread)
    engine.current[cpu] = thread
    engine.vlag[thread] = engine.deadline[thread]
    engine.exec_start[cpu] = clock(engine, cpu)
    engine.resched[cpu] = 0


@compiled
def check_preempt(engine: Engine, cpu: int, woken: int) -> None:
    """check_preempt_wakeup_fair(): a woken thread that would be picked asks for resched."""
    if engine.current[cpu] == 0 or engine.resched[cpu]:
        return
    update_current(engine, cpu)
    if pick(engine, cpu) == woken:
        engine.resched[cpu] = 1

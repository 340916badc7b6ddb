# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""The event engine: threads of a compiled model on CPUs in virtual time.

A thread's steps take no time; only its cpu() costs (bursts), sleeps, waits and the engine's own
costs (interrupts, wake-ups, context switches) do.  The next thing that happens is the end of a
CPU's burst or the first timer.  Interrupts delay the burst of the CPU they hit.  A thread that
should give way (resched) does so at once in user mode, and in the kernel at the next end of a
cost or unit of it: the cond_resched() of a kernel with PREEMPT_VOLUNTARY.
"""

from __future__ import annotations

import numpy as np

from faultlock.sim import arrays as a
from faultlock.sim.arrays import Engine
from faultlock.sim.bursts import (
    ANSWERED,
    next_done,
    pass_time,
    settle,
    settle_all,
    spin_lock,
    touch,
    wait_for_answers,
)
from faultlock.sim.compiled import compiled
from faultlock.sim.device import completed
from faultlock.sim.placement import pull_work
from faultlock.sim.records import wait_begins
from faultlock.sim.scheduler import (
    dequeue_current,
    pick_next,
    put_current,
    set_next,
    update_current,
)
from faultlock.sim.thread_steps import (
    ASSERTION,
    BLOCKED,
    BROKEN_MODEL,
    CHOICE,
    CPU,
    ENDLESS,
    FAILED,
    FINISHED,
    OK,
    RAN,
    SLEEP,
    STUCK,
    Step,
    advance_model,
    cut_burst,
    fail,
    handle_records,
    make_runnable,
    woken,
)
from faultlock.sim.timers import pop, push


@compiled
def _interrupt_thread(engine: Engine, step: Step, run: Step, request: int, cpu: int) -> None:
    """The completion of a request, at once, in interrupt context."""
    scalars = engine.scalars
    thread = scalars[a.IRQ_THREAD]
    completed(engine)
    engine.out[0] = 0
    memory, out = scalars[a.STATE_ADDRESS], scalars[a.OUT_ADDRESS]
    code = step(memory, thread, request, out)
    handle_records(engine, step, thread, cpu)
    if code != RAN:
        fail(engine, BROKEN_MODEL, -request)
        return
    while True:
        code = advance_model(engine, step, run, thread, cpu)
        if code == CPU:
            cost, amount = engine.out[1], engine.out[2]
            scalars[a.IRQ_TIME] += np.int64(engine.cost_ns[cost] * amount + 0.5)
        elif code == CHOICE:
            return
        else:
            fail(engine, BROKEN_MODEL, code)
            return


@compiled
def _wake_rcu(engine: Engine, step: Step, cpu: int) -> None:
    """rcu_gp_kthread_wake() from the softirq of a tick, as long as callbacks wait."""
    scalars = engine.scalars
    thread = scalars[a.RCU_THREAD]
    if thread and engine.state[thread] == a.BLOCKED:
        engine.memory[scalars[a.RCU_ADDRESS]] = 1
        woken(engine, step, thread, cpu)


@compiled
def _tick(engine: Engine, step: Step, cpu: int) -> None:
    scalars = engine.scalars
    idle = engine.current[cpu] == 0 and engine.queue_length[cpu] == 0
    if idle and not scalars[a.RCU_CALLBACKS]:
        engine.ticking[cpu] = 0  # an idle CPU stops its tick
        return
    scalars[a.IRQ_TIME] += scalars[a.COST_TICK]
    update_current(engine, cpu)
    if scalars[a.RCU_CALLBACKS]:
        scalars[a.RCU_CALLBACKS] -= 1
        _wake_rcu(engine, step, cpu)
    at = scalars[a.NOW] + scalars[a.TICK_NS]
    push(engine, at, at, a.EVENT_TICK, cpu)


@compiled
def _event_cpu(engine: Engine) -> int:
    kind, who = engine.heap_kind[0], engine.heap_who[0]
    if kind == a.EVENT_IO:
        return engine.request_cpu[who]
    if kind == a.EVENT_SLEEP:
        return engine.cpu_of[who]
    return who if kind == a.EVENT_TICK else 0


@compiled
def _interrupt(engine: Engine, step: Step, run: Step) -> None:
    """A timer interrupt of one CPU: all of its that is due, and sleepers whose slack has begun."""
    scalars = engine.scalars
    cpu = _event_cpu(engine)
    settle(engine, cpu)
    was_idle = engine.current[cpu] == 0 and engine.overhead[cpu] == 0
    scalars[a.IN_IRQ], scalars[a.IRQ_CPU] = 1, cpu
    scalars[a.IRQ_TIME] = scalars[a.COST_IRQ_ENTRY]
    work = False
    while scalars[a.HEAP_LENGTH] > 0 and engine.heap_soft[0] <= scalars[a.NOW]:
        if work and _event_cpu(engine) != cpu:
            break
        kind, who = pop(engine)
        if kind == a.EVENT_STOP:
            _stop(engine)
            continue
        work = True
        scalars[a.IRQ_TIME] += scalars[a.COST_TIMER]
        if kind == a.EVENT_IO:
            _interrupt_thread(engine, step, run, who, cpu)
        elif kind == a.EVENT_SLEEP:
            make_runnable(engine, who, cpu)
        else:
            _tick(engine, step, who)
    scalars[a.IN_IRQ] = 0
    if work:
        engine.overhead[cpu] += scalars[a.IRQ_TIME] + scalars[a.COST_IRQ_EXIT]
        if was_idle:
            engine.overhead[cpu] += scalars[a.COST_IDLE_EXIT]
    cut_burst(engine, cpu)
    touch(engine, cpu)


@compiled
def _stop(engine: Engine) -> None:
    """The end of the measured time: loops end at their next check; counters are kept."""
    scalars = engine.scalars
    scalars[a.STOPPED] = 1
    if scalars[a.STOP_ADDRESS] >= 0:
        engine.memory[scalars[a.STOP_ADDRESS]] = 1
    counts = engine.event_count
    for event in range(counts.shape[0]):
        counts[event, 2], counts[event, 3] = counts[event, 0], counts[event, 1]


@compiled
def _schedule(engine: Engine, cpu: int, previous: int) -> None:
    """Pick the next thread and switch to it; or idle."""
    scalars = engine.scalars
    thread = pick_next(engine, cpu)
    current = engine.current[cpu]
    if current:
        if thread == current:  # nobody better: it goes on, with the slice it had
            engine.resched[cpu] = 0
            engine.overhead[cpu] += scalars[a.COST_SWITCH] // 2
            engine.burst[cpu] = engine.left[thread]
            engine.left[thread] = 0
            return
        engine.state[current] = a.RUNNABLE
        put_current(engine, cpu)
    if thread == 0 and scalars[a.CPUS] > 1:
        thread = pull_work(engine, cpu)
    if thread == 0:
        engine.debt[cpu] = 0
        engine.overhead[cpu] = 0
        engine.resched[cpu] = 0
        return
    set_next(engine, cpu, thread)
    engine.overhead[cpu] += engine.debt[cpu]
    engine.debt[cpu] = 0
    engine.state[thread] = a.RUNNING
    engine.cpu_of[thread] = cpu
    cost = scalars[a.COST_SWITCH]
    engine.overhead[cpu] += cost // 2 if thread == previous else cost
    engine.burst[cpu] = engine.left[thread]
    engine.burst_unit[cpu] = engine.unit[thread]
    engine.left[thread] = 0
    if not engine.ticking[cpu]:
        engine.ticking[cpu] = 1
        tick = scalars[a.TICK_NS]
        at = (scalars[a.NOW] // tick + 1) * tick
        push(engine, at, at, a.EVENT_TICK, cpu)


@compiled
def _sleep(engine: Engine, cpu: int, thread: int, us: int) -> None:
    scalars = engine.scalars
    engine.state[thread] = a.ASLEEP
    soft = scalars[a.NOW] + engine.debt[cpu] + us * 1000
    push(engine, soft + scalars[a.SLACK_NS], soft, a.EVENT_SLEEP, thread)


@compiled
def _run_thread(engine: Engine, step: Step, run: Step, cpu: int) -> None:
    """The current thread goes on until it needs the CPU for some time or leaves it."""
    scalars = engine.scalars
    thread = engine.current[cpu]
    while scalars[a.ERROR] == OK:
        code = advance_model(engine, step, run, thread, cpu)
        if code == CPU:
            cost, amount = engine.out[1], engine.out[2]
            ns = np.int64(engine.cost_ns[cost] * amount + 0.5)
            if ns <= 0:
                continue
            engine.burst[cpu] = ns
            if engine.cost_free[cost] >= 0:
                engine.burst[cpu] = spin_lock(engine, cpu, cost, engine.burst[cpu])
            elif engine.cost_free[cost] == ANSWERED:
                engine.burst[cpu] = wait_for_answers(engine, cpu, engine.burst[cpu])
            engine.burst_unit[cpu] = engine.cost_unit[cost]
            engine.unit[thread] = engine.cost_unit[cost]
            engine.overhead[cpu] += engine.debt[cpu]
            engine.debt[cpu] = 0
            cut_burst(engine, cpu)
            return
        if code == SLEEP:
            if engine.out[1] <= 0:
                continue
            _sleep(engine, cpu, thread, engine.out[1])
        elif code == BLOCKED:
            struct, reference, label = engine.out[2], engine.out[3], engine.out[1]
            engine.state[thread] = a.BLOCKED
            wait_begins(engine, thread, struct, reference, label)
        elif code == FINISHED:
            engine.state[thread] = a.FINISHED
            scalars[a.RUNNING_THREADS] -= 1
        else:
            error = ENDLESS if code < 0 else (ASSERTION if code == FAILED else BROKEN_MODEL)
            fail(engine, error, engine.out[1])
            return
        dead = code == FINISHED or engine.life[thread] == a.DEAD
        engine.life[thread] = a.ALIVE
        engine.debt[cpu] += scalars[a.COST_BLOCK]
        dequeue_current(engine, cpu, dead)
        _schedule(engine, cpu, thread)
        return


@compiled
def _burst_done(engine: Engine, step: Step, run: Step, cpu: int) -> None:
    thread = engine.current[cpu]
    if thread == 0:
        _schedule(engine, cpu, 0)
    elif (
        engine.resched[cpu]
        and engine.queue_length[cpu] > 0
        and (engine.burst_unit[cpu] >= 0 or engine.left[thread])
    ):
        if engine.burst[cpu] > 0:
            engine.left[thread] += engine.burst[cpu]
        update_current(engine, cpu)
        _schedule(engine, cpu, thread)
    elif engine.left[thread]:
        engine.burst[cpu] = engine.left[thread]
        engine.left[thread] = 0
        engine.resched[cpu] = 0
    else:
        if engine.burst_unit[cpu] >= 0:
            engine.resched[cpu] = 0
        _run_thread(engine, step, run, cpu)


@compiled
def run_events(engine: Engine, step: Step, run: Step, until: int) -> None:
    """Simulate up to virtual time `until`, or until the threads have finished or an error.

    Returns earlier when the log is half full or EVENT_LIMIT is reached; called again, it goes on
    as if it had not."""
    scalars = engine.scalars
    while scalars[a.ERROR] == OK and scalars[a.RUNNING_THREADS] > 0:
        time, cpu = next_done(engine)
        has_timer = scalars[a.HEAP_LENGTH] > 0
        if cpu < 0 and not has_timer:
            fail(engine, STUCK, 0)
            break
        timer_first = has_timer and (cpu < 0 or engine.heap_time[0] <= time)
        next_time = engine.heap_time[0] if timer_first else time
        if next_time > until:
            pass_time(engine, until)
            break
        pass_time(engine, max(next_time, scalars[a.NOW]))
        if timer_first:
            _interrupt(engine, step, run)
        else:
            settle(engine, cpu)
            engine.overhead[cpu], engine.burst[cpu] = 0, 0  # rest of an uneven division
            _burst_done(engine, step, run, cpu)
            touch(engine, cpu)
        if scalars[a.LOG_LENGTH] > scalars[a.LOG_LIMIT] // 2:
            break
        if scalars[a.EVENTS_DONE] >= scalars[a.EVENT_LIMIT]:
            break
    settle_all(engine)


def seed_streams(engine: Engine, seed: int) -> None:
    """Independent random streams for the device (0) and each thread from one seed."""
    words = np.random.SeedSequence(seed).generate_state(len(engine.random), dtype=np.uint64)
    engine.random[:] = words

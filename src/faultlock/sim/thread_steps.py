# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""A thread's steps: running them, what their records mean, waking other threads."""

from __future__ import annotations

from typing import Any

from faultlock.lang.llvm_module import LAST_LABEL
from faultlock.sim import arrays as a
from faultlock.sim.arrays import Engine
from faultlock.sim.bursts import settle, touch
from faultlock.sim.callers import caller_of
from faultlock.sim.choices import answer
from faultlock.sim.compiled import compiled
from faultlock.sim.device import submit
from faultlock.sim.placement import choose_cpu
from faultlock.sim.records import (
    count_operation,
    count_time,
    lock_acquired,
    lock_released,
    log_event,
    wait_ends,
)
from faultlock.sim.scheduler import check_preempt, enqueue

# results of step and run (lang/native.py)
BLOCKED, RAN, CHOICE, FINISHED, FAILED, MODEL_ERROR, CPU, SLEEP = range(8)
NO_CHOICE = -(1 << 63)
FUEL = 1 << 16
MAX_FREE_ROUNDS = 1 << 12  # steps without any cost before the model is said to hang

# reasons for the engine to stop (Engine.scalars[ERROR])
OK, ASSERTION, BROKEN_MODEL, ENDLESS, STUCK = range(5)

Step = Any  # `step` or `run` of the model: an address, or as plain Python a function


@compiled
def charge(engine: Engine, cpu: int, ns: int) -> None:
    """Time that the engine itself costs: to the interrupt that runs, else to the CPU's debt."""
    if engine.scalars[a.IN_IRQ]:
        engine.scalars[a.IRQ_TIME] += ns
    else:
        engine.debt[cpu] += ns


@compiled
def _queue_cost(engine: Engine, cpu: int) -> int:
    """What enqueuing, picking and dequeuing costs more when others are runnable: the check for
    preemption, and the levels of the red-black tree with its augmented minimum."""
    if engine.current[cpu] == 0:
        return 0
    cost, rest = engine.scalars[a.COST_WAKE_BUSY], engine.queue_length[cpu]
    while rest > 0:
        cost += engine.scalars[a.COST_QUEUE_LEVEL]
        rest >>= 1
    return cost


@compiled
def make_runnable(engine: Engine, thread: int, by_cpu: int) -> None:
    """try_to_wake_up(): on a queue, with the preemption check; costs the waker time."""
    scalars = engine.scalars
    charge(engine, by_cpu, scalars[a.COST_WAKE])
    initial = engine.state[thread] == a.NEW
    engine.state[thread] = a.RUNNABLE
    cpu = choose_cpu(engine, thread, by_cpu)
    engine.cpu_of[thread] = cpu
    settle(engine, cpu)
    charge(engine, by_cpu, _queue_cost(engine, cpu))
    enqueue(engine, cpu, thread, initial)
    if engine.current[cpu] == 0:
        if engine.overhead[cpu] == 0 and cpu != by_cpu:
            engine.overhead[cpu] = scalars[a.COST_IDLE_EXIT]
    else:
        check_preempt(engine, cpu, thread)
        if cpu != by_cpu:
            cut_burst(engine, cpu)
    touch(engine, cpu)


@compiled
def cut_burst(engine: Engine, cpu: int) -> None:
    """The current thread should give way: end its burst at the next preemption point."""
    thread = engine.current[cpu]
    if thread == 0 or not engine.resched[cpu] or engine.left[thread]:
        return
    unit = engine.burst_unit[cpu]
    if unit <= 0 or engine.burst[cpu] == 0:
        return
    rest = engine.burst[cpu] // unit * unit
    if unit > 1 and rest == engine.burst[cpu]:
        rest -= unit
    engine.left[thread] = rest
    engine.burst[cpu] -= rest


@compiled
def woken(engine: Engine, step: Step, thread: int, by_cpu: int) -> None:
    """A field that the wait of `thread` reads was written: does its condition hold now?"""
    if engine.state[thread] != a.BLOCKED:
        return
    scalars = engine.scalars
    saved = engine.out[0]
    code = step(scalars[a.STATE_ADDRESS], thread, NO_CHOICE, scalars[a.OUT_ADDRESS])
    engine.out[0] = saved
    if code == BLOCKED:
        return
    if engine.life[thread] == a.TO_BE_BORN:
        engine.life[thread] = a.ALIVE
        engine.state[thread] = a.NEW
        engine.vlag[thread] = 0
    elif thread != scalars[a.RCU_THREAD]:
        wait_ends(engine, thread)
    make_runnable(engine, thread, by_cpu)


@compiled
def known_time(engine: Engine, thread: int, index: int) -> int:
    """How long the read of the request that begins at page `index` takes; 0: not known."""
    for read in range(a.KNOWN_READS):
        if engine.io_time[thread, read] == 0:
            return 0
        if index <= engine.io_index[thread, read]:
            return engine.io_time[thread, read]
    return 0


@compiled
def add_known_time(engine: Engine, thread: int, ns: int, index: int) -> None:
    """The operation in progress reads up to page `index` within `ns`."""
    for read in range(a.KNOWN_READS):
        if engine.io_time[thread, read] == 0:
            engine.io_time[thread, read], engine.io_index[thread, read] = ns, index
            if read + 1 < a.KNOWN_READS:
                engine.io_time[thread, read + 1] = 0
            return


@compiled
def one_record(engine: Engine, step: Step, thread: int, cpu: int, at: int, label: int) -> None:
    """One record of the model, made by step `label`; word `at` of the output is its first."""
    event, x, y, z = engine.out[at], engine.out[at + 1], engine.out[at + 2], engine.out[at + 3]
    if event < 0:
        woken(engine, step, x, cpu)
        return
    engine.event_count[event, 0] += 1
    engine.event_count[event, 1] += x
    if engine.scalars[a.LOG_LIMIT]:
        log_event(engine, thread, event, x, y, z, caller_of(engine, thread, label), 0)
    role = engine.event_role[event]
    if role == a.RECORD_OP_BEGIN:
        engine.op[thread] = x
        engine.op_since[thread] = engine.scalars[a.NOW]
    elif role == a.RECORD_OP_END:
        count_operation(engine, thread, x, engine.scalars[a.NOW] - engine.op_since[thread])
        engine.op_since[thread] = -1
        engine.io_time[thread, 0] = 0
    elif role == a.RECORD_IO_SUBMIT:
        submit(engine, x, z, cpu, known_time(engine, thread, y))
    elif role == a.RECORD_IO_TIME:
        add_known_time(engine, thread, x, y)
    elif role == a.RECORD_ACQUIRED:
        kind = x & (a.LOCK_KINDS - 1)
        lock = engine.kind_offset[kind] + y
        lock_acquired(engine, thread, engine.kind_struct[kind], lock, label)
    elif role == a.RECORD_RELEASED:
        kind = x & (a.LOCK_KINDS - 1)
        lock_released(engine, thread, engine.kind_struct[kind], engine.kind_offset[kind] + y)
    elif role == a.RECORD_ROUND_BEGIN:
        engine.round_since[thread] = engine.scalars[a.NOW]
    elif role == a.RECORD_ROUND_END:
        count_time(
            engine, engine.op_actor[x], engine.scalars[a.NOW] - engine.round_since[thread]
        )
    elif role == a.RECORD_TASK_NEW:
        if engine.state[x] == a.BLOCKED:  # else its last life is not quite over: it goes on
            engine.life[x] = a.TO_BE_BORN
    elif role == a.RECORD_TASK_DEAD:
        engine.life[thread] = a.DEAD
    elif role == a.RECORD_RWSEM_QUEUED:
        engine.queued_since[thread] = engine.scalars[a.NOW]
    elif role == a.RECORD_CALL_RCU:
        engine.scalars[a.RCU_CALLBACKS] = a.RCU_TICKS


@compiled
def handle_records(engine: Engine, step: Step, thread: int, cpu: int) -> None:
    """All records of the last steps, in order (a wake-up may make new ones: none does)."""
    count = engine.out[0]
    if count == 0:
        return
    label = engine.out[LAST_LABEL]
    # A step that a record makes (woken) adds its own records behind these: they are not lost
    # from sight, only not looked at, as a thread that comes out of a wait has none.
    for number in range(count):
        one_record(engine, step, thread, cpu, 8 + 4 * number, label)
    engine.out[0] = 0


@compiled
def advance_model(engine: Engine, step: Step, run: Step, thread: int, cpu: int) -> int:
    """Steps until the thread needs time or waits.  Returns a result code; the answer to a
    choice is given here; io_completion blocks (only the interrupt answers it)."""
    scalars = engine.scalars
    memory, out = scalars[a.STATE_ADDRESS], scalars[a.OUT_ADDRESS]
    for _ in range(MAX_FREE_ROUNDS):
        engine.out[0] = 0
        code = run(memory, thread, out, FUEL)
        if code == CHOICE:
            role = engine.choice_role[engine.out[3]]
            low, high = engine.out[1], engine.out[2]
            if role == a.CHOICE_IO:
                return CHOICE
            chosen = answer(engine, thread, role, low, high)
            code = step(memory, thread, chosen, out)
        word1, word2, word3 = engine.out[1], engine.out[2], engine.out[3]
        handle_records(engine, step, thread, cpu)
        scalars[a.EVENTS_DONE] += 1
        if code != RAN:
            engine.out[1], engine.out[2], engine.out[3] = word1, word2, word3
            return code
    return -1


@compiled
def fail(engine: Engine, error: int, detail: int) -> None:
    """Remember the first error; the run ends at it."""
    if engine.scalars[a.ERROR] == OK:
        engine.scalars[a.ERROR] = error
        engine.scalars[a.ERROR_DETAIL] = detail

# SPDX-License-Identifier: GPL-2.0-only
"""How threads enter the engine when a run starts (start.py says in which state)."""

from __future__ import annotations

from faultlock.sim import arrays as a
from faultlock.sim.arrays import Engine
from faultlock.sim.bursts import settle, touch
from faultlock.sim.compiled import compiled
from faultlock.sim.scheduler import enqueue_as
from faultlock.sim.thread_steps import (
    BLOCKED,
    BROKEN_MODEL,
    CHOICE,
    Step,
    advance_model,
    fail,
)


@compiled
def start_thread(engine: Engine, thread: int, cpu: int) -> None:
    """Put a new thread on the queue of `cpu` at the start of the run."""
    start_queued_thread(engine, thread, cpu, 0, engine.scalars[a.SLICE_NS])


@compiled
def start_queued_thread(engine: Engine, thread: int, cpu: int, vruntime: int, off: int) -> None:
    """A thread is in the queue of `cpu` when the run starts, its deadline `off` ns away."""
    engine.state[thread], engine.cpu_of[thread] = a.RUNNABLE, cpu
    settle(engine, cpu)
    enqueue_as(engine, cpu, thread, vruntime, vruntime + off)
    if engine.current[cpu] == 0 and engine.overhead[cpu] == 0:
        engine.overhead[cpu] = 1
    touch(engine, cpu)


@compiled
def start_main_thread(engine: Engine, thread: int, vruntime: int) -> None:
    """The thread that started the others has just gone to sleep, and is still in the queue."""
    settle(engine, 0)
    engine.delayed[thread] = 1
    enqueue_as(engine, 0, thread, vruntime, vruntime + engine.scalars[a.SLICE_NS])


@compiled
def start_interrupt_thread(engine: Engine, step: Step, run: Step, thread: int) -> None:
    """Let the thread of the interrupt handler reach its first wait for a completion."""
    engine.scalars[a.IRQ_THREAD] = thread
    if advance_model(engine, step, run, thread, 0) != CHOICE:
        fail(engine, BROKEN_MODEL, thread)


@compiled
def start_waiting_thread(engine: Engine, step: Step, run: Step, thread: int, cpu: int) -> None:
    """A thread that somebody wakes later (the child of a fork, a kernel thread): to its wait."""
    engine.cpu_of[thread] = cpu
    if advance_model(engine, step, run, thread, cpu) != BLOCKED:
        fail(engine, BROKEN_MODEL, thread)
    engine.state[thread] = a.BLOCKED

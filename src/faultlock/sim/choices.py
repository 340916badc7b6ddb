# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""What the engine answers when the model asks it to choose."""

from __future__ import annotations

from faultlock.sim.arrays import (
    CHOICE_CPU,
    CHOICE_HANDOFF,
    CHOICE_IO_ERROR,
    CHOICE_LOWEST,
    CHOICE_OWN,
    CHOICE_THINK,
    CHOICE_TIME,
    CHOICE_ZIPF,
    ERROR_PPM,
    NOW,
    TICK_NS,
    Engine,
)
from faultlock.sim.compiled import compiled
from faultlock.sim.randoms import below, sample, zipf

RWSEM_WAIT_NS = 4_000_000  # RWSEM_WAIT_TIMEOUT, kernel/locking/rwsem.c: rounded up to ticks


@compiled
def handoff_due(engine: Engine, thread: int) -> bool:
    """Has a writer waited for longer than RWSEM_WAIT_TIMEOUT, as counted in ticks (time_after)?"""
    tick = engine.scalars[TICK_NS]
    timeout = engine.queued_since[thread] // tick + (RWSEM_WAIT_NS + tick - 1) // tick
    return engine.scalars[NOW] // tick > timeout


@compiled
def answer(engine: Engine, thread: int, role: int, low: int, high: int) -> int:
    """A value in low <= x < high by the meaning (`role`) of the choice's name.

    Times are in the model's unit, microseconds, rounded to the nearest."""
    if high - low <= 1 or role == CHOICE_LOWEST:
        return low
    if role == CHOICE_HANDOFF:
        return 1 if handoff_due(engine, thread) else 0
    if role == CHOICE_OWN:
        return min(max(thread, low), high - 1)
    if role == CHOICE_CPU:
        return min(max(engine.cpu_of[thread], low), high - 1)
    if role == CHOICE_IO_ERROR:
        failed = 1 if below(engine, 0, 1_000_000) < engine.scalars[ERROR_PPM] else 0
        return min(low + failed, high - 1)
    if role in (CHOICE_THINK, CHOICE_TIME):
        op = engine.op[thread]
        row = engine.op_think[op] if role == CHOICE_THINK else engine.op_time[op]
        return min(max(low + (sample(engine, thread, row) + 500) // 1000, low), high - 1)
    if role == CHOICE_ZIPF:
        return zipf(engine, thread, low, high, engine.op_zipf[engine.op[thread]])
    return low + below(engine, thread, high - low)

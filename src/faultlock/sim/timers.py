# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""The timer heap: what happens at which virtual time (like the kernel's hrtimer tree).

An entry has a time at which it must fire and an earlier one (`soft`) from which it may fire
when some timer interrupt happens anyway: that is timer slack.
"""

from __future__ import annotations

import numba

from faultlock.sim.arrays import HEAP_LENGTH, SEQUENCE, Engine


@numba.njit(cache=True)
def _before(engine: Engine, a: int, b: int) -> bool:
    time_a, time_b = engine.heap_time[a], engine.heap_time[b]
    if time_a != time_b:
        return time_a < time_b
    return engine.heap_order[a] < engine.heap_order[b]


@numba.njit(cache=True)
def _swap(engine: Engine, a: int, b: int) -> None:
    for column in (
        engine.heap_time,
        engine.heap_order,
        engine.heap_soft,
        engine.heap_kind,
        engine.heap_who,
    ):
        value = column[a]
        column[a] = column[b]
        column[b] = value


@numba.njit(cache=True)
def push(engine: Engine, time: int, soft: int, kind: int, who: int) -> None:
    """Add an event of `kind` about `who` (thread, request or CPU)."""
    scalars = engine.scalars
    at = scalars[HEAP_LENGTH]
    scalars[HEAP_LENGTH] = at + 1
    scalars[SEQUENCE] += 1
    engine.heap_time[at] = time
    engine.heap_order[at] = scalars[SEQUENCE]
    engine.heap_soft[at] = soft
    engine.heap_kind[at] = kind
    engine.heap_who[at] = who
    while at > 0:
        parent = (at - 1) // 2
        if not _before(engine, at, parent):
            break
        _swap(engine, at, parent)
        at = parent


@numba.njit(cache=True)
def pop(engine: Engine) -> tuple[int, int]:
    """Remove the first event: its kind and whom it is about."""
    scalars = engine.scalars
    kind, who = engine.heap_kind[0], engine.heap_who[0]
    last = scalars[HEAP_LENGTH] - 1
    scalars[HEAP_LENGTH] = last
    _swap(engine, 0, last)
    at = 0
    while True:
        child = 2 * at + 1
        if child >= last:
            break
        if child + 1 < last and _before(engine, child + 1, child):
            child += 1
        if not _before(engine, child, at):
            break
        _swap(engine, at, child)
        at = child
    return kind, who

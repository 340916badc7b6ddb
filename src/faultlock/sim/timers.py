# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""The timer heap: what happens at which virtual time (like the kernel's hrtimer tree).

An entry has a time at which it must fire and an earlier one (`soft`) from which it may fire
when some timer interrupt happens anyway: that is timer slack.
"""

from __future__ import annotations

from faultlock.sim.arrays import HEAP_LENGTH, SEQUENCE, Engine
from faultlock.sim.compiled import compiled


@compiled
def push(engine: Engine, time: int, soft: int, kind: int, who: int) -> None:
    """Add an event of `kind` about `who` (thread, request or CPU)."""
    scalars, times, orders = engine.scalars, engine.heap_time, engine.heap_order
    softs, kinds, whos = engine.heap_soft, engine.heap_kind, engine.heap_who
    at = scalars[HEAP_LENGTH]
    scalars[HEAP_LENGTH] = at + 1
    scalars[SEQUENCE] += 1
    while at > 0:  # a newer event goes behind those of the same time
        parent = (at - 1) // 2
        if times[parent] <= time:
            break
        times[at], orders[at], softs[at] = times[parent], orders[parent], softs[parent]
        kinds[at], whos[at] = kinds[parent], whos[parent]
        at = parent
    times[at], orders[at], softs[at] = time, scalars[SEQUENCE], soft
    kinds[at], whos[at] = kind, who


@compiled
def pop(engine: Engine) -> tuple[int, int]:
    """Remove the first event: its kind and whom it is about."""
    scalars, times, orders = engine.scalars, engine.heap_time, engine.heap_order
    softs, kinds, whos = engine.heap_soft, engine.heap_kind, engine.heap_who
    kind, who = kinds[0], whos[0]
    last = scalars[HEAP_LENGTH] - 1
    scalars[HEAP_LENGTH] = last
    time, order = times[last], orders[last]
    at = 0
    while True:  # the hole goes down until the last event fits in
        child = 2 * at + 1
        if child >= last:
            break
        right = child + 1
        if right < last and (
            times[right] < times[child]
            or (times[right] == times[child] and orders[right] < orders[child])
        ):
            child = right
        if time < times[child] or (time == times[child] and order < orders[child]):
            break
        times[at], orders[at], softs[at] = times[child], orders[child], softs[child]
        kinds[at], whos[at] = kinds[child], whos[child]
        at = child
    times[at], orders[at], softs[at] = time, order, softs[last]
    kinds[at], whos[at] = kinds[last], whos[last]
    return kind, who

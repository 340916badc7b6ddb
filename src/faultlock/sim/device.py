# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""The device: a queue of limited depth whose requests take a random time, in parallel.

A request's service starts when a place in the queue is free; with a bandwidth limit its data
also pass one after the other.  Waiting requests are served first come, first served.  A request
whose time is known (a recorded read) takes that time.
"""

from __future__ import annotations

from faultlock.sim.arrays import (
    BANDWIDTH,
    DEVICE_DISTRIBUTION,
    DEVICE_FREE_AT,
    EVENT_IO,
    IN_SERVICE,
    NOW,
    QUEUE_DEPTH,
    QUEUED_FIRST,
    QUEUED_LAST,
    Engine,
)
from faultlock.sim.compiled import compiled
from faultlock.sim.randoms import sample
from faultlock.sim.timers import push

PAGE_BYTES = 4096
NS_PER_S = 1_000_000_000


@compiled
def _start(engine: Engine, request: int) -> None:
    scalars = engine.scalars
    scalars[IN_SERVICE] += 1
    known = engine.request_time[request]
    latency = known if known > 0 else sample(engine, 0, scalars[DEVICE_DISTRIBUTION])
    done = scalars[NOW] + latency
    if scalars[BANDWIDTH] > 0:
        transfer = engine.request_pages[request] * PAGE_BYTES * NS_PER_S // scalars[BANDWIDTH]
        free_at = max(scalars[DEVICE_FREE_AT], scalars[NOW]) + transfer
        scalars[DEVICE_FREE_AT] = free_at
        if known == 0:
            done = max(done, free_at)
    push(engine, done, done, EVENT_IO, request)


@compiled
def submit(engine: Engine, request: int, pages: int, cpu: int, time_ns: int) -> None:
    """A request of `pages` pages reaches the device from `cpu` now.

    time_ns: how long it takes, when that is known (a recorded read); 0: as the device does.
    """
    scalars = engine.scalars
    engine.request_pages[request] = pages
    engine.request_cpu[request] = cpu
    engine.request_time[request] = time_ns
    engine.request_next[request] = 0
    if scalars[IN_SERVICE] < scalars[QUEUE_DEPTH]:
        _start(engine, request)
        return
    if scalars[QUEUED_LAST]:
        engine.request_next[scalars[QUEUED_LAST]] = request
    else:
        scalars[QUEUED_FIRST] = request
    scalars[QUEUED_LAST] = request


@compiled
def completed(engine: Engine) -> None:
    """One request is done: the next that waits is started."""
    scalars = engine.scalars
    scalars[IN_SERVICE] -= 1
    request = scalars[QUEUED_FIRST]
    if request:
        scalars[QUEUED_FIRST] = engine.request_next[request]
        if scalars[QUEUED_FIRST] == 0:
            scalars[QUEUED_LAST] = 0
        _start(engine, request)

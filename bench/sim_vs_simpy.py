# SPDX-License-Identifier: GPL-2.0-only
"""Events a second of the engine and of SimPy on the same contended workload, on one core.

Threads compute 5 us on one of the CPUs, take a FIFO mutex for 1 us, read from a device (1 ms)
half of the time, and sleep 100 us.  An event is one thread asking for something: a CPU, the
mutex, the device, a timer, or the end of one of these.  CPU time, one line for each.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

THREADS, CPUS, END_US = 64, 4, 1_000_000


def simpy_events() -> tuple[int, float]:
    """Events and seconds of the workload in plain SimPy."""
    import simpy

    environment = simpy.Environment()
    cpus = simpy.Resource(environment, CPUS)
    mutex = simpy.Resource(environment, 1)
    device = simpy.Resource(environment, 32)
    numbers = random.Random(1)

    def burst(us: float) -> Any:
        with cpus.request() as cpu:
            yield cpu
            yield environment.timeout(us)

    def worker() -> Any:
        while True:
            yield from burst(5)
            with mutex.request() as lock:
                yield lock
                yield from burst(1)
            if numbers.random() < 0.5:
                with device.request() as slot:
                    yield slot
                    yield environment.timeout(1000)
            yield environment.timeout(100)

    for _ in range(THREADS):
        environment.process(worker())
    events, started = 0, time.process_time()
    while environment.peek() < END_US:
        environment.step()
        events += 1
    return events, time.process_time() - started


def engine_events() -> tuple[int, float]:
    """Events and CPU seconds of the same workload in the engine, without preparing the model:
    the difference between a long and a short run."""
    from faultlock.sim import arrays
    from tests.unit.sim.small_engine import contended

    counts, times = [], []
    for length in (1, 1, 21):
        started = time.process_time()
        engine = contended(THREADS, cpus=CPUS, end_ns=length * END_US * 1000)
        times.append(time.process_time() - started)
        counts.append(int(engine.scalars[arrays.EVENTS_DONE]))
    return counts[2] - counts[1], times[2] - times[1]


def main() -> None:
    """Measure both and print the ratio."""
    events, seconds = simpy_events()
    own_events, own_seconds = engine_events()
    ratio = (own_events / own_seconds) / (events / seconds)
    print(f"simpy   {events:9d} events {seconds:7.3f} s {events / seconds:12.0f} events/s")
    own_rate = own_events / own_seconds
    print(f"engine  {own_events:9d} events {own_seconds:7.3f} s {own_rate:12.0f} events/s")
    print(f"ratio   {ratio:.1f} in CPU time")


if __name__ == "__main__":
    main()

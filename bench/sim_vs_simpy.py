# SPDX-License-Identifier: GPL-2.0-only
"""Events per second of the simulator and of SimPy on one contended workload, in one run.

    python bench/sim_vs_simpy.py [--threads 64] [--seconds 2]

The workload (bench/contended.py): every thread computes 5 us on a shared CPU, takes one FIFO mutex,
computes 1 us under it, reads from a device of 32 places for 1 ms half of the time, and sleeps
100 us.  The SimPy text does just that.  The simulator does more for the same operation: scheduler,
time slices, timer interrupts, wake-up costs, wait chains, latency histograms.

An operation is the same work in both, so the ratio is that of operations per second of CPU time;
an event is one of the workload (a burst, a grant, a completion, the end of a sleep) as SimPy
counts them, and the simulator's rate is given in the same events.  Compilation is not counted.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COMPUTE_NS, CRITICAL_NS, READ_NS, SLEEP_NS = 5_000, 1_000, 1_000_000, 100_000
DEVICE_PLACES = 32
GOAL = 20.0


def simpy_run(threads: int, end_ns: int, seed: int) -> tuple[int, int, float]:
    """(operations, events, seconds of CPU time) of SimPy."""
    import simpy

    environment = simpy.Environment()
    cpu = simpy.Resource(environment, 1)
    mutex = simpy.Resource(environment, 1)
    device = simpy.Resource(environment, DEVICE_PLACES)
    numbers = random.Random(seed)
    done = 0

    def burst(ns: int) -> Iterator[Any]:
        with cpu.request() as turn:
            yield turn
            yield environment.timeout(ns)

    def worker() -> Iterator[Any]:
        nonlocal done
        while environment.now < end_ns:
            yield from burst(COMPUTE_NS)
            with mutex.request() as grant:
                yield grant
                yield from burst(CRITICAL_NS)
            if numbers.random() < 0.5:
                with device.request() as place:
                    yield place
                    yield environment.timeout(READ_NS)
            done += 1
            yield environment.timeout(SLEEP_NS)

    for _ in range(threads):
        environment.process(worker())
    events = 0
    started = time.process_time()
    while environment.peek() < end_ns:
        environment.step()
        events += 1
    return done, events, time.process_time() - started


def simulator_run(threads: int, end_ns: int, seed: int) -> tuple[int, float]:
    """(operations, seconds of CPU time) of the simulator; set-up and compilation not counted."""
    from faultlock.sim import engine as events
    from tests.unit.sim import small_engine

    run, spent = events.run_events, 0.0

    def timed(*arguments: Any) -> None:
        nonlocal spent
        started = time.process_time()
        run(*arguments)
        spent = time.process_time() - started

    small_engine.run_events = timed
    try:
        found = small_engine.contended(threads, end_ns=end_ns, seed=seed)
    finally:
        small_engine.run_events = run
    return int(found.totals[0, 0]), spent


def main() -> int:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0, help="virtual time (default: 2)")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many (default: 3)")
    arguments = parser.parse_args()
    end_ns = int(arguments.seconds * 1e9)
    simulator_run(arguments.threads, 1_000_000, 1)  # compiles
    theirs, ours = [], []
    for seed in range(1, arguments.runs + 1):
        theirs.append(simpy_run(arguments.threads, end_ns // 10, seed))
        ours.append(simulator_run(arguments.threads, end_ns, seed))
    operations, events, spent = min(theirs, key=lambda row: row[2] / row[0])
    per_operation = events / operations
    simpy_rate = operations / spent
    own_operations, own_spent = min(ours, key=lambda row: row[1] / row[0])
    rate = own_operations / own_spent
    print(f"{'':10} {'operations':>10} {'CPU s':>8} {'operations/s':>13} {'events/s':>12}")
    for name, count, seconds, per_s in (
        ("SimPy", operations, spent, simpy_rate),
        ("faultlock", own_operations, own_spent, rate),
    ):
        print(f"{name:10} {count:10} {seconds:8.3f} {per_s:13,.0f} {per_s * per_operation:12,.0f}")
    ratio = rate / simpy_rate
    print(f"ratio {ratio:.1f} (goal: {GOAL:g}), {per_operation:.1f} events an operation, "
          f"{arguments.threads} threads, one core")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

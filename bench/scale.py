# SPDX-License-Identifier: GPL-2.0-only
"""Time and memory of the simulator from a small case to 10,000 threads, 10,000 VMAs and 100
million resident page-cache pages.

    python bench/scale.py [--seconds 1]

Prints a line per case: what it holds, events, nanoseconds of CPU time per event, and the most
memory the process ever had (each case runs in a process of its own).  A page that is resident
at the start takes four bytes of page cache and becomes a folio when it is first looked at.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time

CASES = (
    (100, 100, 1_000_000),
    (1_000, 1_000, 10_000_000),
    (10_000, 10_000, 100_000_000),
)
MOST_MIB, MOST_GROWTH = 4096, 2.0
RUNS = 3  # of each case, the fastest counts: the small one takes milliseconds


def text(threads: int, vmas: int, pages: int, seconds: float) -> str:
    """A workload: threads touch resident and absent pages, think 100 ms; others map and fork."""
    return f"""
duration = "{seconds}s"
[machine]
cpus = 16
memory = "1024GiB"
[device]
latency = "exponential(1ms)"
queue_depth = 1024
[[files]]
name = "data"
size = "{pages * 4}KiB"
cached = 0.99
[[mappings]]
name = "vmas"
file = "data"
count = {vmas}
sharing = "shared"
advice = "random"
[[threads]]
op = "touch"
count = {threads - 2}
access = "random"
think = "exponential(100ms)"
[[threads]]
op = "mmap_munmap"
think = "exponential(10ms)"
[[threads]]
op = "read_proc"
proc_file = "maps"
process = "monitor"
target = "main"
think = "exponential(100ms)"
"""


def measure(case: tuple[int, int, int, float]) -> tuple[int, float, float, int]:
    """(events, seconds of set-up, ns per event, MiB at most) of one case."""
    from faultlock.sim.result import collect
    from faultlock.sim.run import advance, prepare
    from faultlock.workload.library import loads

    threads, vmas, pages, seconds = case
    workload = loads(text(threads, vmas, pages, seconds), "scale", "scale")
    started = time.process_time()
    simulation = prepare(workload, "drop-retry", 1)
    advance(simulation, 1_000_000)  # all that is compiled at first use is compiled
    before = collect(simulation).events
    prepared = time.process_time()
    advance(simulation, workload.duration_ns)
    spent = time.process_time() - prepared
    events = collect(simulation).events
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return events, prepared - started, spent * 1e9 / max(events - before, 1), most


def main() -> int:
    """Print the curve; exit code 1 when memory or the growth of time per event is too much."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="virtual time (default: 1)")
    arguments = parser.parse_args()
    print(f"{'threads':>8} {'VMAs':>8} {'pages':>12} {'events':>10} {'set-up s':>9} "
          f"{'ns/event':>9} {'MiB':>6}")
    context = multiprocessing.get_context("spawn")
    found = []
    for threads, vmas, pages in CASES:
        rows = []
        for _ in range(RUNS):
            with context.Pool(1) as pool:
                rows.append(pool.apply(measure, ((threads, vmas, pages, arguments.seconds),)))
        row = min(rows, key=lambda each: each[2])
        found.append(row)
        events, setup, ns, most = row
        print(f"{threads:8} {vmas:8} {pages:12} {events:10} {setup:9.1f} {ns:9.0f} {most:6}",
              flush=True)
    growth = found[-1][2] / found[0][2]
    print(f"time per event grows {growth:.2f} times (at most {MOST_GROWTH:g}); "
          f"at most {MOST_MIB} MiB")
    return 0 if growth <= MOST_GROWTH and found[-1][3] <= MOST_MIB else 1


if __name__ == "__main__":
    sys.exit(main())

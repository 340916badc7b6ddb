# SPDX-License-Identifier: GPL-2.0-only
"""How much a second core helps the checker: one worker and two, alternating, in one run.

    python bench/check_cores.py [--repeat N] [--json] [NAME ...]

Scenarios over a million states (reductions on), under four policies: one of the catalogue, the
others made from the catalogue's text with one thread more.  Timed is everything from the compiled
model to verdicts and bounds: searches, liveness, counterexamples with their replay, bounds.

Wall time counts, so the machine should be idle.  What other processes used of its CPUs meanwhile
is measured and shown, as CPUs; the least time of several runs is the one that they disturbed
least, and the ratio of the least times is the figure; that of the medians stands beside it.  CPU
seconds of the fastest runs show what the second core costs: 2 * (of one worker) / (of two) is the
most that it can bring.
"""

from __future__ import annotations

import argparse
import json
import math
import mmap
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from faultlock.check.explore import Options
from faultlock.check.result import result_of
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import CATALOGUE, compile_scenario, find_scenario
from faultlock.lang.native import NativeProgram, compile_native

RECLAIM = """@thread("reclaim")
def reclaiming():
    trap_enter()
    reclaim_once()
    trap_exit()


@thread("disk\""""
RECLAIM_TOO = {'@thread("disk"': RECLAIM}
THREE_FAULTS = {"fault+fault+reclaim:": "fault+fault+fault+reclaim:", "count=2": "count=3",
                "N_THREADS: Param = 3": "N_THREADS: Param = 4",
                "MAX_REFCOUNT: Param = 7": "MAX_REFCOUNT: Param = 9"}
CHILD = {**RECLAIM_TOO, "fault+fork+child:": "fault+fork+child+reclaim:",
         "N_THREADS: Param = 4": "N_THREADS: Param = 5"}
POPULATE = {**RECLAIM_TOO, "populate+any:": "populate+any+reclaim:",
            "N_THREADS: Param = 3": "N_THREADS: Param = 4"}
# (scenario, policy, file of the catalogue, replacements in its text)
SCENARIOS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("fault+fault+reclaim", "retry-vma", "fault_fault_reclaim.py", {}),
    ("fault+fault+fault+reclaim", "hold", "fault_fault_reclaim.py", THREE_FAULTS),
    ("fault+fork+child+reclaim", "hold", "fault_fork_child.py", CHILD),
    ("fault+fork+child+reclaim", "drop-retry", "fault_fork_child.py", CHILD),
    ("populate+any+reclaim", "hold-until-writer", "populate_any.py", POPULATE),
)
MEMORY_BYTES = 2 << 30
Entry = tuple[str, str, str, dict[str, str]]


def compiled(entry: Entry, folder: Path) -> NativeProgram:
    """Native code of one of the scenarios."""
    name, policy, file, replacements = entry
    text = (CATALOGUE / file).read_text(encoding="utf-8")
    for old, new in replacements.items():
        if text.count(old) != 1:
            raise SystemExit(f"{file}: {old!r} is not there exactly once")
        text = text.replace(old, new)
    path = folder / f"{name.replace('+', '_')}.py"
    path.write_text(text, encoding="utf-8")
    return compile_native(compile_scenario(policy, find_scenario(str(path))))


class Run(NamedTuple):
    """One check: seconds, CPU seconds, CPUs that other processes used meanwhile."""

    wall_s: float
    cpu_s: float
    others_cpus: float


def touch_memory() -> None:
    """Write to as much memory as a check needs, and free it: a virtual machine whose host takes
    free pages back pays up to 2 s per GB for them again, whichever run comes first."""
    memory = mmap.mmap(-1, MEMORY_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    np.frombuffer(memory, np.uint8)[::mmap.PAGESIZE] = 1


def busy_s() -> float:
    """CPU seconds that all processes have used, or nan where /proc/stat is not there."""
    try:
        with open("/proc/stat", encoding="ascii") as stream:
            ticks = [int(each) for each in stream.readline().split()[1:9]]
    except OSError:
        return math.nan
    return float(sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def timed(policy: str, native: NativeProgram, workers: int) -> tuple[Run, str, int]:
    """One check: its times, everything that was found as text, states."""
    touch_memory()
    busy, wall, cpu = busy_s(), time.perf_counter(), time.process_time()
    result = check_scenario(policy, find_scenario("fault+fault"),
                            options=Options(workers=workers), native=native)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    others = max(busy_s() - busy - cpu, 0.0) / wall
    found = result_of("", [result])
    for row in found["results"]:
        del row["seconds"]
    return Run(wall, cpu, others), json.dumps(found), result.exploration.states


def measure(entry: Entry, repeat: int, folder: Path) -> dict[str, Any]:
    """All figures of one scenario."""
    native = compiled(entry, folder)
    runs: dict[int, list[Run]] = {1: [], 2: []}
    texts = set()
    states = 0
    for _ in range(repeat):
        for workers, found in runs.items():
            run, text, states = timed(entry[1], native, workers)
            found.append(run)
            texts.add(text)
    if len(texts) > 1:
        raise SystemExit(f"{entry[0]}: one worker and two do not find the same")
    row: dict[str, Any] = {"scenario": entry[0], "policy": entry[1], "states": states}
    median = {}
    for workers, found in runs.items():
        least = min(found)
        row |= {f"wall{workers}_s": least.wall_s, f"cpu{workers}_s": least.cpu_s}
        median[workers] = statistics.median(run.wall_s for run in found)
    return {**row, "others_cpus": max(min(found).others_cpus for found in runs.values()),
            "times_faster": row["wall1_s"] / row["wall2_s"],
            "times_faster_median": median[1] / median[2],
            "at_most": 2 * row["cpu1_s"] / row["cpu2_s"]}


def mean(values: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help="these scenarios (default: all)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names = arguments.scenario or [entry[0] for entry in SCENARIOS]
    small = find_scenario("fault+fault")
    for workers in (1, 2):  # loads the compiled search
        check_scenario("hold", small, options=Options(workers=workers))
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(entry, arguments.repeat, Path(folder))
                for entry in SCENARIOS if entry[0] in names]
    if not rows:
        parser.error(f"there are: {', '.join(entry[0] for entry in SCENARIOS)}")
    means = {what: mean([row[what] for row in rows])
             for what in ("times_faster", "times_faster_median")}
    if arguments.json:
        print(json.dumps({"rows": rows, **means}, indent=2))
        return 0
    print("scenario                  policy               states  1: wall    cpu  2: wall    cpu"
          "  times  median  at most  others")
    for row in rows:
        print(f"{row['scenario']:25} {row['policy']:17} {row['states']:9} {row['wall1_s']:8.2f} "
              f"{row['cpu1_s']:6.2f} {row['wall2_s']:8.2f} {row['cpu2_s']:6.2f} "
              f"{row['times_faster']:6.2f} {row['times_faster_median']:7.2f} "
              f"{row['at_most']:8.2f} {row['others_cpus']:7.2f}")
    print(f"a second core: {means['times_faster']:.2f} times faster (geometric mean); "
          f"the least: {min(row['times_faster'] for row in rows):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
"""How much a second core helps the checker: one worker and two, alternating, in one run.

    python bench/check_cores.py [--repeat N] [--json] [NAME ...]

Scenarios over a million states: one of the catalogue, and two that are made from the catalogue's
text with one thread more.  Timed is everything from the compiled model to verdicts and bounds:
searches, liveness, counterexamples with their replay, bounds.  Wall time counts, so the machine
must be idle; CPU seconds stand beside it: their ratio is what the second core costs, and
2 * (CPU of one worker) / (CPU of two) is the most that it can bring.  Medians; the geometric
mean at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

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
# name -> (policy, file of the catalogue, replacements in its text)
SCENARIOS: dict[str, tuple[str, str, dict[str, str]]] = {
    "fault+fault+reclaim": ("retry-vma", "fault_fault_reclaim.py", {}),
    "fault+fault+fault+reclaim": ("hold", "fault_fault_reclaim.py", {
        "fault+fault+reclaim:": "fault+fault+fault+reclaim:", "count=2": "count=3",
        "N_THREADS: Param = 3": "N_THREADS: Param = 4", "MAX_REFCOUNT: Param = 7":
        "MAX_REFCOUNT: Param = 9"}),
    "fault+fork+child+reclaim": ("hold", "fault_fork_child.py", {
        "fault+fork+child:": "fault+fork+child+reclaim:", '@thread("disk"': RECLAIM,
        "N_THREADS: Param = 4": "N_THREADS: Param = 5"}),
}


def compiled(name: str, folder: Path) -> NativeProgram:
    """Native code of one of the scenarios."""
    policy, file, replacements = SCENARIOS[name]
    text = (CATALOGUE / file).read_text(encoding="utf-8")
    for old, new in replacements.items():
        if text.count(old) != 1:
            raise SystemExit(f"{file}: {old!r} is not there exactly once")
        text = text.replace(old, new)
    path = folder / f"{name.replace('+', '_')}.py"
    path.write_text(text, encoding="utf-8")
    return compile_native(compile_scenario(policy, find_scenario(str(path))))


def timed(name: str, native: NativeProgram, workers: int) -> tuple[float, float, str, int]:
    """(wall seconds, CPU seconds, everything that was found as text, states) of one check."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = check_scenario(SCENARIOS[name][0], find_scenario("fault+fault"),
                            options=Options(workers=workers), native=native)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found = result_of("", [result])
    for row in found["results"]:
        del row["seconds"]
    return wall, cpu, json.dumps(found), result.exploration.states


def measure(name: str, repeat: int, folder: Path) -> dict[str, Any]:
    """All figures of one scenario."""
    native = compiled(name, folder)
    runs: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    texts = set()
    states = 0
    for _ in range(repeat):
        for workers, found in runs.items():
            wall, cpu, text, states = timed(name, native, workers)
            found.append((wall, cpu))
            texts.add(text)
    if len(texts) > 1:
        raise SystemExit(f"{name}: one worker and two do not find the same")
    median = {f"{kind}{workers}_s": statistics.median(run[place] for run in found)
              for workers, found in runs.items() for place, kind in enumerate(("wall", "cpu"))}
    return {"scenario": name, "policy": SCENARIOS[name][0], "states": states, **median,
            "times_faster": median["wall1_s"] / median["wall2_s"],
            "at_most": 2 * median["cpu1_s"] / median["cpu2_s"]}


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    small = find_scenario("fault+fault")
    for workers in (1, 2):  # loads the compiled search
        check_scenario("hold", small, options=Options(workers=workers))
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, arguments.repeat, Path(folder)) for name in arguments.scenario]
    logs = [math.log(row["times_faster"]) for row in rows]
    mean = math.exp(sum(logs) / len(logs))
    if arguments.json:
        print(json.dumps({"rows": rows, "times_faster": mean}, indent=2))
        return 0
    print("scenario                    policy      states  1: wall    cpu  2: wall    cpu  times"
          "  at most")
    for row in rows:
        print(f"{row['scenario']:26} {row['policy']:10} {row['states']:8} {row['wall1_s']:8.2f} "
              f"{row['cpu1_s']:6.2f} {row['wall2_s']:8.2f} {row['cpu2_s']:6.2f} "
              f"{row['times_faster']:6.2f} {row['at_most']:8.2f}")
    print(f"a second core: {mean:.2f} times faster (geometric mean)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

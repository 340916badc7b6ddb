# SPDX-License-Identifier: GPL-2.0-only
"""The checker against Spin's compiled pan (-O3), same model, one run each, single-threaded.

    python bench/check_vs_spin.py [--json] [SCENARIO ...]

Two comparisons over scenarios of the catalogue, all properties on in both tools:
- time to verdict, each tool with its own reductions, compile times excluded and included
  (ours: model to native code without the cache; Spin's: spin -a and gcc -O3);
- stored states per second without reductions (pan -DNOREDUCE).
Seconds are CPU seconds (user and system): equal to wall time on an idle machine, and nearly
independent of what else runs.  Geometric means at the end.  Needs spin and gcc.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from faultlock.check.explore import Limits, Options, explore
from faultlock.check.judge import check_program
from faultlock.check.scenarios import compile_scenario, find_scenario
from faultlock.export.promela import promela
from faultlock.lang.native import compile_native

SCENARIOS = (
    "fault+fault", "fault+kill+truncate", "fault+fork+exit", "fault+fork+mmap",
    "fault+fork+proc-maps", "fault+punch", "fault+read", "fuse-self+fault+fork",
    "fault+munmap+mmap", "fault+truncate",
)
POLICY = "drop-retry"
RUNS = 3  # of what takes less than LONG_S; the least counts, for both tools
LONG_S = 1.0
Result = TypeVar("Result")


def children_s() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pan(folder: Path, flags: list[str]) -> tuple[float, dict[str, float]]:
    """(compile seconds, {states, seconds}) of one pan run."""
    started = children_s()
    subprocess.run(["spin", "-a", "model.pml"], cwd=folder, check=True, capture_output=True)
    subprocess.run(["gcc", "-O3", "-fwrapv", "-w", "-DVECTORSZ=8192", *flags, "-o", "pan", "pan.c"],
                   cwd=folder, check=True)
    compiled = children_s() - started
    seconds = math.inf
    for _ in range(RUNS):
        started = children_s()
        done = subprocess.run(["./pan", "-m2000000", "-E", "-w24"], cwd=folder,
                              capture_output=True, text=True, check=False)
        seconds = min(seconds, children_s() - started)
        if seconds > LONG_S:
            break
    found = re.search(r"([\d.e+]+) states, stored", done.stdout)
    return compiled, {"states": float(found[1]) if found else 0.0, "seconds": seconds}


def least_s(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds, the least of RUNS (of one when it takes long), and the result."""
    least = math.inf
    for _ in range(RUNS):
        started = time.process_time()
        result = work()
        least = min(least, time.process_time() - started)
        if least > LONG_S:
            break
    return least, result


def ours_compile_s(name: str) -> float:
    """From model text to native code with an empty cache, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        program = ("from faultlock.check.scenarios import *; import time; "
                   "from faultlock.lang.native import compile_native; t = time.process_time(); "
                   f"compile_native(compile_scenario({POLICY!r}, find_scenario({name!r}))); "
                   "print(time.process_time() - t)")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              check=True, env={**os.environ, "FAULTLOCK_CACHE": folder})
    return float(done.stdout)


def measure(name: str) -> dict[str, Any]:
    """All figures of one scenario."""
    program = compile_scenario(POLICY, find_scenario(name))
    native = compile_native(program)
    one, none = Options(workers=1), Options(False, False, False, 1, symmetry=False)
    check_program(POLICY, name, native, options=one)  # loads the compiled search
    explore(native, Limits(states=100_000), none)
    verdict_s, _ = least_s(lambda: check_program(POLICY, name, native, options=one))
    full_s, full = least_s(lambda: explore(native, options=none))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.pml").write_text(promela(program))
        spin_compile_s, reduced = pan(Path(folder), ["-DPROPERTIES"])
        _, plain = pan(Path(folder), ["-DPROPERTIES", "-DNOREDUCE"])
    return {
        "scenario": name,
        "states": full.states,
        "spin_states": int(plain["states"]),
        "verdict_s": verdict_s,
        "spin_verdict_s": reduced["seconds"],
        "compile_s": ours_compile_s(name),
        "spin_compile_s": spin_compile_s,
        "states_per_s": full.states / full_s,
        "spin_states_per_s": plain["states"] / plain["seconds"],
    }


def mean(values: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [measure(name) for name in arguments.scenario]
    means = {
        "verdict": mean([row["spin_verdict_s"] / row["verdict_s"] for row in rows]),
        "verdict_with_compile": mean([
            (row["spin_verdict_s"] + row["spin_compile_s"]) / (row["verdict_s"] + row["compile_s"])
            for row in rows]),
        "states_per_s": mean([row["states_per_s"] / row["spin_states_per_s"] for row in rows]),
    }
    if arguments.json:
        print(json.dumps({"rows": rows, "times_faster": means}, indent=2))
        return 0
    print("scenario                 states  verdict_s  spin_s  compile_s  spin_s  Mstates/s  spin")
    for row in rows:
        print(f"{row['scenario']:22} {row['states']:9} {row['verdict_s']:9.3f} "
              f"{row['spin_verdict_s']:7.3f} {row['compile_s']:9.2f} {row['spin_compile_s']:8.2f} "
              f"{row['states_per_s'] / 1e6:9.2f} {row['spin_states_per_s'] / 1e6:6.3f}")
    for what, times in means.items():
        print(f"{what}: {times:.1f} times Spin's (geometric mean)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

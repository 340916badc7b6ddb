# SPDX-License-Identifier: GPL-2.0-only
"""Time from the model's files to the first native step, cold and from the cache.

    python bench/compile.py [policy ...]        default: every shipped policy

Each measurement is a fresh process with a cache folder of its own.  Goals: 3 s cold, 0.5 s from
the cache, on two idle cores; cpu_s says how much of total_s was work, on cores that are not idle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCENARIO = Path(__file__).with_name("contended_fault.py")
COLD_GOAL_S, CACHED_GOAL_S = 3.0, 0.5


def measure(policy: str, mode: str) -> dict[str, Any]:
    """One measurement in this process: seconds of each part, and the size of the program.

    mode "simulate" compiles the whole kernel (every role of the simulator); "check" compiles
    what the threads of the scenario reach.
    """
    start = time.perf_counter()
    from faultlock.lang.model import compile_model, load_model

    imported = time.perf_counter()
    simulate = mode == "simulate"
    model = load_model(policy, [] if simulate else [SCENARIO])
    program = compile_model(model, statistics=simulate)
    compiled = time.perf_counter()
    from faultlock.lang.native import compile_native

    native = compile_native(program, mode)
    translated = time.perf_counter()
    state = native.layout.new_state([program.steps[0].label])
    native.step(state, 1, native.new_out())
    end = time.perf_counter()
    return {
        "steps": len(program.steps),
        "import_s": imported - start,
        "front_end_s": compiled - imported,
        "native_s": translated - compiled,
        "first_step_s": end - translated,
        "total_s": end - start,
        "cpu_s": time.process_time(),  # of the whole process, the interpreter's start included
    }


def in_new_process(policy: str, mode: str, cache: str) -> dict[str, Any]:
    """`measure` in a fresh interpreter."""
    command = [sys.executable, __file__, "--one", policy, mode]
    environment = {**os.environ, "FAULTLOCK_CACHE": cache}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if run.returncode:
        sys.exit(run.stderr)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def main() -> None:
    """Print one line for each policy, mode and state of the cache."""
    from faultlock.lang.model import shipped_policies

    columns = ("import_s", "front_end_s", "native_s", "first_step_s", "total_s", "cpu_s")
    print(
        f"{'policy':18} {'mode':9} {'cache':7} {'steps':>6} "
        + " ".join(f"{c:>12}" for c in columns)
    )
    worst = {"cold": 0.0, "cached": 0.0}
    for policy in sys.argv[1:] or list(shipped_policies()):
        for mode in ("simulate", "check"):
            with tempfile.TemporaryDirectory() as cache:
                for state in ("cold", "cached"):
                    result = in_new_process(policy, mode, cache)
                    worst[state] = max(worst[state], result["total_s"])
                    times = " ".join(f"{result[column]:12.3f}" for column in columns)
                    print(f"{policy:18} {mode:9} {state:7} {result['steps']:6} {times}")
    for state, goal in (("cold", COLD_GOAL_S), ("cached", CACHED_GOAL_S)):
        verdict = "reached" if worst[state] <= goal else "missed"
        print(f"{state}: worst {worst[state]:.2f} s, goal {goal} s: {verdict}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
    else:
        main()

# SPDX-License-Identifier: GPL-2.0-only
"""Native steps per second on one core, on a contended fault path.

    python bench/steps.py [policy ...]          default: drop-retry hold

Threads take turns through `run`; each turn ends when the thread blocks, needs a choice, spends
CPU time (simulate) or has done `quantum` steps.  Goal: 40 million steps a second.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numba
from numba import types

from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import NativeProgram, compile_native, failure_text

SCENARIO = Path(__file__).with_name("contended_fault.py")
GOAL = 40e6
STEPS = 20_000_000
SIGNATURE = types.int32(types.int64, types.int32, types.int64, types.int64)
FUNCTION = types.FunctionType(SIGNATURE)
WORDS = types.int64[::1]


class Address(types.WrapperAddressProtocol):
    """A native function for numba."""

    def __init__(self, address: int) -> None:
        self.address = address

    def __wrapper_address__(self) -> int:
        return self.address

    def signature(self) -> Any:
        return SIGNATURE


@numba.njit(types.int64(FUNCTION, types.int64, types.int32, WORDS, types.int64))
def take_choice(step: Any, state: int, thread: Any, out: Any, out_address: int) -> Any:
    """Make the first choice that is possible; the code of the step, 0 when there is none."""
    low, high = out[1], out[2]
    for choice in range(low, high):
        out[0] = 0
        code = step(state, thread, choice, out_address)
        if code != 0:
            return code
    return 0


@numba.njit(
    types.int64(
        FUNCTION, FUNCTION, types.int64, types.int64, WORDS, types.int64, types.int64, types.int64
    )
)
def drive(
    run: Any, step: Any, state: int, threads: int, out: Any, out_address: int, total: int,
    quantum: int,
) -> Any:  # fmt: skip
    """Steps done; negative: minus the code that ended it, -100 when every thread is blocked."""
    done = idle = 0
    thread = 1
    while done < total:
        out[0] = 0
        code = run(state, numba.int32(thread), out_address, quantum)
        done += out[4]
        if code == 2:
            code = take_choice(step, state, numba.int32(thread), out, out_address)
            done += code != 0
        idle = idle + 1 if code == 0 and out[4] == 0 else 0
        if 3 <= code <= 5:
            return -code
        if idle > threads:
            return -100
        thread = thread % threads + 1
    return done


def rate(native: NativeProgram, quantum: int) -> float:
    """Steps per second of CPU time."""
    state, out = native.new_state(), native.new_out()
    arguments = (
        Address(native.run_address), Address(native.step_address), state.ctypes.data,
        len(native.program.threads), out, out.ctypes.data,
    )  # fmt: skip
    drive(*arguments, STEPS // 100, quantum)
    start = time.process_time()
    done = int(drive(*arguments, STEPS, quantum))
    spent = time.process_time() - start
    if done == -100:
        sys.exit("every thread is blocked")
    if done < 0:
        sys.exit(f"stopped with code {-done}: {failure_text(native.program, -done, int(out[1]))}")
    return float(done / spent)


def main() -> None:
    """Print one line for each policy, mode, effort and quantum; compiles into a new cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["FAULTLOCK_CACHE"] = cache
        measure(sys.argv[1:] or ["drop-retry", "hold"])


def measure(policies: list[str]) -> None:
    """The table for these policies."""
    print(f"{'policy':12} {'mode':9} {'effort':6} {'quantum':>7} {'steps_per_s':>12}")
    rates = []
    for policy in policies:
        model = load_model(policy, [SCENARIO])
        for mode in ("simulate", "check"):
            program = compile_model(model, statistics=mode == "simulate")
            for effort in ("quick", "best"):
                native = compile_native(program, mode, effort=effort)
                for quantum in (1000, 10):
                    rates.append(rate(native, quantum))
                    row = f"{policy:12} {mode:9} {effort:6} {quantum:7} {rates[-1]:12.3e}"
                    print(row, flush=True)
    verdict = "reached" if min(rates) >= GOAL else "missed"
    print(f"least {min(rates):.3e} steps/s, goal {GOAL:.0e}: {verdict}")


if __name__ == "__main__":
    main()

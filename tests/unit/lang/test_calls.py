# SPDX-License-Identifier: GPL-2.0-only
"""Calls of step functions whose first line is not a step of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.lang.evaluate import Machine
from faultlock.lang.model import compile_model, load_model
from faultlock.lang.native import compile_native

SCENARIO = '''# SPDX-License-Identifier: GPL-2.0-only
"""A scenario."""
N_THREADS: Param = 1


def find_odd(start: int) -> int:
    while True:
        current.vmf_address = 0
        if start % 2 == 1:
            return start
        start += 1


def is_large(number: int) -> bool:
    result = number * 1000
    current.vmf_address = 0
    return result == 5000


def nothing():
    return


def never():
    current.vmf_address = 1


@setup
def start():
    pass


@thread("T1")
def main():
    value = 4
    nothing()
    odd = find_odd(value)
    if KERNEL_VERSION == 1:
        never()
    nothing()
    assert odd == value + 1, "X1 calls keep the caller's locals"
    large = is_large(odd)
    assert large, "X2 a local named result is not what the function returns"
    current.signal_pending = True
'''


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "calls.py"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_a_function_may_begin_with_a_loop_or_only_return(scenario: Path) -> None:
    program = compile_model(load_model("drop-retry", [scenario]))
    assert "find_odd" in program.functions and "never" not in program.functions
    machine = Machine(program)
    machine.call("start")
    codes = [machine.step(1).code for _ in range(40)]
    assert set(codes) == {1, 3}, "runs to its end"
    assert machine.get(("field", "Thread", 1, "signal_pending", 0)) == 1


def test_it_compiles_to_native_code(scenario: Path) -> None:
    program = compile_model(load_model("drop-retry", [scenario]))
    native = compile_native(program, mode="check")
    state, out = native.new_state(), native.new_out()
    codes = [native.step(state, 1, out, 0) for _ in range(40)]
    assert codes[-1] == 3 and set(codes) == {1, 3}

# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return"
"""The engine's machine code against its Python source run by the interpreter."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.sim import arrays as a
from faultlock.sim.arrays import Engine
from faultlock.sim.compiled import ENTRY_POINTS, CompiledFunction, compiled, functions
from faultlock.sim.randoms import next_random, sample, zipf
from faultlock.sim.records import bucket_of
from faultlock.translate.kinds import CompiledTextError
from faultlock.translate.module import module_text
from tests.unit.sim.small_engine import bare, contended

WORDS = st.integers(-(1 << 40), 1 << 40)


@pytest.mark.parametrize("shared_clock", [False, True])
def test_machine_code_and_the_interpreter_make_the_same_run(shared_clock: bool) -> None:
    """Every array is the same in the end.  The interpreter also checks each index."""
    sizes: dict[str, Any] = {"cpus": 2, "latency_ns": 40_000, "end_ns": 1_500_000}
    native = contended(9, shared_clock=shared_clock, queue_depth=2, **sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # words of 64 bits overflow
        plain = contended(9, shared_clock=shared_clock, queue_depth=2, plain=True, **sizes)
    assert native.totals[0, 0] > 20 and native.waits[:, :, 0].sum() > 0
    addresses = [a.STATE_ADDRESS, a.OUT_ADDRESS]
    for name in Engine._fields:
        one, two = getattr(native, name), getattr(plain, name)
        if name == "scalars":
            one, two = (numpy.delete(each, addresses) for each in (one, two))
        assert numpy.array_equal(one, two), name


@compiled
def _arithmetic(engine: Engine, x: int, y: int, s: int) -> tuple[int, int, int, int]:
    quotient, rest = x // y, x % y
    shifted = (x << s) ^ (y >> s) | (x & y)
    low = min(x, y) if x > y else max(-x, abs(y))
    return quotient, rest, shifted, low


@given(WORDS, WORDS.filter(bool), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_those_of_python(x: int, y: int, s: int) -> None:
    engine, handle = bare()
    assert _arithmetic(handle, x, y, s) == _arithmetic(engine, x, y, s)


@compiled
def _control(engine: Engine, x: int, y: int, odd: bool) -> int:
    scalars, row = engine.scalars, engine.wait_chain[1]
    found = 0
    for number in range(x, y, -3):
        if number % 5 in (2, 3):
            continue
        found += number
        if found > 400 and not odd:
            break
    else_part = 1 if x < y <= 100 or odd else 2
    while True:
        scalars[0] += else_part
        row[2, 1] -= scalars[0] * engine.queue.shape[1]
        if scalars[0] > 7 and scalars[0] != 9:
            break
    return found + row[2, 1] + engine.wait_chain[1, 2, 1]


@given(st.integers(-200, 200), st.integers(-200, 200), st.booleans())
@settings(max_examples=60, deadline=None)
def test_control_flow_and_rows_are_those_of_python(x: int, y: int, odd: bool) -> None:
    (_, handle), (plain, _) = bare(threads=5), bare(threads=5)
    assert _control(handle, x, y, odd) == _control(plain, x, y, odd)


@compiled
def _floats(engine: Engine, x: float, n: int) -> float:
    power = (1.0 + abs(x)) ** 0.5 * math.cos(x) - math.exp(-abs(x))
    return power / 3 + math.sqrt(math.log(2.0 + x * x)) * n - np_like(engine, n)


@compiled
def np_like(engine: Engine, n: int) -> float:
    """A float made of a whole number."""
    return float(n) * -0.5


@given(st.floats(-50, 50), WORDS)
@settings(max_examples=60, deadline=None)
def test_floats_are_those_of_python(x: float, n: int) -> None:
    engine, handle = bare()
    assert _floats(handle, x, n) == pytest.approx(_floats(engine, x, n), rel=1e-14)


def test_random_numbers_and_buckets_agree() -> None:
    (one, handle), (two, _) = bare(), bare()
    rows = ((a.LOGNORMAL, 0, 1000, 0.5, 0, 0), (a.HISTOGRAM, 0, 0, 0, 0, 2))
    for engine in (one, two):
        engine.distributions[0], engine.distributions[1] = rows
        engine.bins[0], engine.bins[1] = (500, 0.5), (1500, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for _ in range(50):
            assert int(next_random(handle, 1)) == int(next_random(two, 1))
            assert sample(handle, 2, 0) == sample(two, 2, 0)
            assert sample(handle, 2, 1) == sample(two, 2, 1)
            assert zipf(handle, 3, 1, 100, 0.8) == zipf(two, 3, 1, 100, 0.8)
    assert bucket_of(1 << 20) == 14 * a.BUCKETS_PER_DOUBLING


@compiled
def _unknown_statement(engine: Engine) -> int:
    with engine:  # type: ignore[attr-defined]
        return 1


@compiled
def _unknown_array(engine: Engine) -> int:
    return engine.no_such_array[0]  # type: ignore[attr-defined]


@compiled
def _too_many_indices(engine: Engine) -> int:
    return engine.scalars[0, 1]


@compiled
def _float_in_a_whole_number(engine: Engine, x: float) -> int:
    number = 1
    number = x  # type: ignore[assignment]
    return number


@compiled
def _no_value(engine: Engine, x: int) -> int:  # type: ignore[return]
    if x:
        return 1


@compiled
def _unknown_function(engine: Engine, x: int) -> int:
    return len(str(x))


@compiled
def _unknown_type(engine: Engine, x: str) -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (_unknown_statement, "does not know"),
        (_unknown_array, "no array no_such_array"),
        (_too_many_indices, "has 1 dimensions"),
        (_float_in_a_whole_number, "is of type float, not int"),
        (_no_value, "may end without a value"),
        (_unknown_function, "does not know"),
        (_unknown_type, "str is no type of the engine"),
    ],
)
def test_what_the_compiler_does_not_know_is_said_with_its_line(
    function: CompiledFunction, what: str
) -> None:
    with pytest.raises(CompiledTextError, match=rf"test_compiled\.py:\d+: .*{what}"):
        module_text([function])


def test_no_function_of_the_engine_is_written_for_nothing() -> None:
    text = module_text([functions[name] for name in ENTRY_POINTS])
    engine_files = {function.module for function in functions.values()} - {"test_compiled"}
    for function in functions.values():
        if function.module in engine_files:
            assert f" @{function.name}(" in text, function.name


def test_the_simulator_starts_without_numba() -> None:
    """It takes half a second to load, in each worker."""
    code = "import faultlock.sim.run, sys; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0

# SPDX-License-Identifier: GPL-2.0-only
"""The reference interpreter and the arithmetic that all engines share."""

from __future__ import annotations

import pytest

from faultlock.lang import program as ir
from faultlock.lang.constants import BINARY, MAXIMUM, MINIMUM, UNARY, evaluate_constant
from faultlock.lang.evaluate import ERROR, FINISHED, RAN, FailedCallError, Machine
from faultlock.lang.layout import Layout
from tests.unit.lang_backends.programs import C, pool, spinning


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [
        ("+", MAXIMUM, 1, MINIMUM),
        ("-", MINIMUM, 1, MAXIMUM),
        ("*", 1 << 62, 4, 0),
        ("//", -7, 2, -4),
        ("//", 7, -2, -4),
        ("//", 7, 0, 0),
        ("//", MINIMUM, -1, MINIMUM),
        ("%", -7, 3, 2),
        ("%", 7, -3, -2),
        ("%", 7, 0, 0),
        ("%", MINIMUM, -1, 0),
        ("<<", 1, 63, MINIMUM),
        ("<<", 1, 64, 0),
        ("<<", 1, -1, 0),
        (">>", -8, 1, -4),
        (">>", -8, 64, 0),
        (">>", -8, -1, 0),
        ("min", -1, 1, -1),
        ("max", -1, 1, 1),
    ],
)
def test_arithmetic_at_the_edges(operator: str, left: int, right: int, result: int) -> None:
    assert BINARY[operator](left, right) == result


def test_negation_wraps() -> None:
    assert UNARY["-"](MINIMUM) == MINIMUM


def test_constant_expressions_read_parameters_and_no_state() -> None:
    double = ir.Binary("*", ir.Param("N"), C(2))
    either = ir.Conditional(ir.Logical("and", ir.Param("N"), C(1)), double, C(-1))
    assert evaluate_constant(either, {"N": 4}) == 8
    assert evaluate_constant(either, {"N": 0}) == -1
    with pytest.raises(ValueError, match="not a constant expression"):
        evaluate_constant(ir.Current(), {})


def test_a_lock_keeps_the_second_thread_out() -> None:
    machine = Machine(spinning())
    assert [machine.step(1).code for _ in range(2)] == [RAN, RAN]
    assert machine.get(("pc", 1)) == 3
    assert [machine.step(2).code for _ in range(2)] == [RAN, RAN]
    assert machine.get(("pc", 2)) == 1
    assert machine.get(("field", "Lock", 1, "held", 0)) == 1


def test_states_go_to_bytes_and_back() -> None:
    program = spinning()
    machine, copy, layout = Machine(program), Machine(program), Layout(program)
    for _ in range(3):
        machine.step(2)
    copy.from_bytes(layout, machine.to_bytes(layout))
    assert copy.state == machine.state


def test_two_live_locals_in_one_byte_are_an_error() -> None:
    program = spinning()
    for name in ("left", "right"):
        program.functions[name] = ir.StepFunction(
            name, [], ir.NoneType(), {"x": ir.BoolType()}, 1, [], [], "t.py", 1
        )
    program.functions["worker"].calls.extend(["left", "right"])
    machine = Machine(program)
    machine.put(("local", 1, "left", "x"), 1)
    machine.to_bytes(Layout(program))
    machine.put(("local", 1, "right", "x"), 1)
    with pytest.raises(ValueError, match="share a byte"):
        machine.to_bytes(Layout(program))


def test_free_zeroes_the_fields_and_refuses_what_is_free() -> None:
    machine = Machine(pool(2))
    assert [machine.call("take") for _ in range(3)] == [1, 2, 0]
    machine.call("put", 1, 9)
    machine.call("give", 1)
    assert machine.call("get", 1) == 0
    for wrong in (0, 1, 3):
        with pytest.raises(FailedCallError) as failure:
            machine.call("give", wrong)
        assert (failure.value.code, failure.value.number) == (ERROR, 5)
    assert machine.call("take") == 1


def test_a_finished_thread_stays_finished() -> None:
    machine = Machine(pool(1))
    assert machine.step(1).code == RAN
    assert machine.step(1).code == FINISHED

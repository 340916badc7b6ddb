# SPDX-License-Identifier: GPL-2.0-only
"""The listing and the Python text."""

from __future__ import annotations

import ast

from faultlock.lang import program as ir
from faultlock.lang.listing import Printer, listing
from faultlock.lang.python_program import PythonProgram
from faultlock.lang.python_text import python_text
from tests.unit.lang_backends.programs import C, spinning


def test_the_listing_reads_like_the_source() -> None:
    lines = listing(spinning()).splitlines()
    assert lines[0] == "program test: 5 steps"
    start = lines.index("    3  t.py:3  line 3")
    assert lines[start + 1 : start + 3] == [
        "           next = (Lock.count + 1) % 100",
        "           goto 4",
    ]
    assert "struct Lock [1]" in lines
    assert "    count: Range[0, 100]" in lines


def test_the_listing_keeps_the_structure_of_expressions() -> None:
    printer = Printer(spinning())
    a, b, c = (ir.Param(name) for name in "abc")
    cases: dict[str, ir.Expr] = {
        "a - (b - c)": ir.Binary("-", a, ir.Binary("-", b, c)),
        "a - b - c": ir.Binary("-", ir.Binary("-", a, b), c),
        "(a + b) * c": ir.Binary("*", ir.Binary("+", a, b), c),
        "not (a and b) or c": ir.Logical("or", ir.Unary("not", ir.Logical("and", a, b)), c),
        "-(a if b else c)": ir.Unary("-", ir.Conditional(b, a, c)),
        "min(a, b) << 2": ir.Binary("<<", ir.Binary("min", a, b), C(2)),
        "(a == b) == c": ir.Binary("==", ir.Binary("==", a, b), c),
        "~a & b": ir.Binary("&", ir.Unary("~", a), b),
    }
    for text, expression in cases.items():
        assert printer.expression(expression) == text


def test_the_python_text_names_the_source_line_of_each_step() -> None:
    text = python_text(spinning())
    ast.parse(text)
    assert "    # worker t.py:3: line 3" in text.splitlines()


def test_the_text_of_a_source_line_stays_a_comment() -> None:
    program = spinning()
    program.steps[0].text = "x = 1\nraise SystemExit"
    state = PythonProgram(program).new_state()
    assert PythonProgram(program).step(state, 1, None, [0] * 4008) == 1

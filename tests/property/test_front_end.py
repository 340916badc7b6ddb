# SPDX-License-Identifier: GPL-2.0-only
"""A single-threaded run of a compiled program equals plain Python evaluation of its text.

The texts are generated here, so executing them as Python is safe.  This tests the front end:
labels, jumps, calls and returns, dead-local clearing, atomic blocks, constant folding.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultlock.lang.assemble import assemble
from faultlock.lang.evaluate import FINISHED, RAN, Machine
from faultlock.lang.program import Program
from faultlock.lang.source import KERNEL_LAYER, Source, read_sources

HEADER = '''"""generated"""
N_THREADS: Param = 1
K: Param = 3
FIVE = 5
Small = Range[-99, 99]
class box(Struct, count=1):
    x: Small
    y: Small
    flag: bool
    items: Array[4, Small]
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    own: Private[Small]
'''
PLACES = ("box.x", "box.y", "box.items[1]", "box.items[a % 4]")
MAX_STEPS = 5000


@st.composite
def expression(draw: Any, shared: bool, depth: int = 2) -> str:
    """An integer expression; at most one shared access when `shared`."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        leaves = ["a", "b", "i", "current.own", "K", "FIVE", str(draw(st.integers(-9, 9)))]
        return str(draw(st.sampled_from(leaves + (list(PLACES) if shared else []))))
    left = draw(expression(shared=False, depth=depth - 1))
    right = draw(expression(shared=shared, depth=depth - 1))
    kind = draw(st.sampled_from(["+", "-", "*", "&", "|", "^", "min", "max", "//", "%", "if"]))
    if kind in ("min", "max"):
        return f"{kind}({left}, {right})"
    if kind in ("//", "%"):
        return f"(({right}) {kind} {draw(st.sampled_from([2, 3, 7, -5]))})"
    if kind == "if":
        return f"(({left}) if b > {draw(st.integers(-5, 5))} else ({right}))"
    return f"(({left}) {kind} ({right}))"


@st.composite
def condition(draw: Any) -> str:
    """A boolean expression with at most one shared access."""
    left = draw(expression(shared=False, depth=1))
    right = draw(expression(shared=True, depth=1))
    compared = f"{left} {draw(st.sampled_from(['<', '<=', '==', '!=', '>']))} {right}"
    form = draw(st.sampled_from(["{}", "not ({})", "a > 0 and {}", "b < 3 or {}"]))
    return str(form).format(compared)


def clipped(text: str) -> str:
    return f"({text}) % 90"


@st.composite
def statement(draw: Any, function: int, depth: int, loop: int, atomic: bool) -> list[str]:
    """One statement as lines; `loop`: nesting of loops around it."""
    simple = ["local", "field", "own", "augmented", "flag"]
    compound = ["if", "for", "while"] if depth else []
    control = (["break", "continue"] if loop else []) + ["return"]
    calls = [] if atomic else ["call", "call_if"] + (["atomic"] if depth else [])
    kind = draw(st.sampled_from(simple * 3 + compound * 2 + control + calls + ["helper"]))
    value = clipped(draw(expression(shared=kind in ("local", "own"))))
    if kind == "local":
        return [f"{draw(st.sampled_from('ab'))} = {value}"]
    if kind in ("field", "flag"):
        place = draw(st.sampled_from(PLACES))
        return ["box.flag = a > b"] if kind == "flag" else [f"{place} = {value}"]
    if kind == "own":
        return [f"current.own = {value}"]
    if kind == "augmented":
        return [f"a += {draw(st.integers(-3, 3))}", "a = a % 90"]
    if kind in ("break", "continue"):
        return [f"if {draw(condition())}:", f"    {kind}"]
    if kind == "return":
        return [f"if {draw(condition())}:", f"    return {value}"]
    if kind == "helper":
        return [f"b = mix(a, {clipped(draw(expression(shared=False, depth=1)))})"]
    return list(draw(nested(kind, function, depth, loop, atomic)))


@st.composite
def nested(draw: Any, kind: str, function: int, depth: int, loop: int, atomic: bool) -> list[str]:
    """Statements that contain others, and calls of step functions."""
    argument = clipped(draw(expression(shared=True, depth=1)))
    if kind == "call":
        return [f"b = f{function + 1}(a, {argument})"] if function < 2 else ["a = b"]
    if kind == "call_if":
        lines = draw(block(function, 0, loop, atomic))
        return [f"if not g{function}(a):", *indented(lines)]
    if kind == "atomic":
        lines = draw(block(function, depth - 1, loop, True))
        return ["with atomic:", *indented(lines)]
    inner = draw(block(function, depth - 1, loop + (kind != "if"), atomic))
    if kind == "if":
        otherwise = draw(block(function, depth - 1, loop, atomic))
        tail = ["else:", *indented(otherwise)] if draw(st.booleans()) else []
        return [f"if {draw(condition())}:", *indented(inner), *tail]
    name = f"n{depth}{loop}"
    if kind == "for":
        first, end = draw(st.integers(-1, 2)), draw(st.sampled_from(["2", "3", "K", "a % 3"]))
        return [f"for {name} in range({first}, {end}):", *indented([f"i = {name}", *inner])]
    stop = draw(st.integers(1, 3))
    return [f"{name} = 0", f"while {name} < {stop}:", *indented([f"{name} += 1", *inner])]


@st.composite
def block(draw: Any, function: int, depth: int, loop: int, atomic: bool) -> list[str]:
    """A few statements."""
    parts = draw(st.lists(statement(function, depth, loop, atomic), min_size=1, max_size=3))
    return [line for part in parts for line in part]


def indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


@st.composite
def program_text(draw: Any) -> str:
    """Three step functions that call each other downwards, an atomic helper and a thread."""
    text = HEADER + "@atomic\ndef mix(p: Small, q: Small) -> Small:\n    r: int = p\n"
    text += "    for k in range(0, 3):\n        if q > k:\n            r += q\n"
    text += "        if r > 40:\n            break\n    return r % 90\n"
    for number in range(3):
        lines = draw(block(number, 2, 0, False))
        text += f"def g{number}(p: Small) -> bool:\n    return p > {number}\n"
        text += f"def f{number}(a: Small, b: Small) -> Small:\n    i = 0\n"
        text += "".join(line + "\n" for line in indented(lines)) + "    return (a + b + i) % 90\n"
    return text + '@thread("T")\ndef main():\n    x = f0(7, 11)\n    box.x = x\n'


def compiled(text: str) -> Program:
    """Compiled past the cache: these programs are met once."""
    space = read_sources([Source("generated.py", KERNEL_LAYER, text)], [])
    program = assemble("generated", space, {}, statistics=False, everything=False)
    assert program is not None, "\n".join(map(str, space.errors))
    return program


def as_python(text: str) -> dict[str, Any]:
    """What plain Python computes."""
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if line == "@atomic")
    body = "\n".join(line for line in lines[start:] if not line.startswith("@"))
    body = body.replace("with atomic:", "if True:")
    space: dict[str, Any] = {
        "box": SimpleNamespace(x=0, y=0, flag=False, items=[0, 0, 0, 0]),
        "current": SimpleNamespace(own=0),
        "K": 3,
        "FIVE": 5,
        "Small": int,
    }
    exec(compile(body, "generated", "exec"), space)
    space["main"]()
    box = space["box"]
    return {
        "x": box.x,
        "y": box.y,
        "flag": int(box.flag),
        "items": box.items,
        "own": space["current"].own,
    }


def as_model(program: Program) -> tuple[dict[str, Any], Machine]:
    """What the compiled steps compute, on the reference interpreter."""
    machine = Machine(program)
    for _ in range(MAX_STEPS):
        outcome = machine.step(1)
        if outcome.code == FINISHED:
            break
        assert outcome.code == RAN, (outcome, program.errors)
    else:
        pytest.fail("the run does not end")

    def field(name: str, element: int = 0) -> int:
        return machine.get(("field", "box", 1, name, element))

    own = machine.get(("field", "Thread", 1, "own", 0))
    found = {
        "x": field("x"),
        "y": field("y"),
        "flag": field("flag"),
        "items": [field("items", n) for n in range(4)],
        "own": own,
    }
    return found, machine


REUSED = HEADER + """@atomic
def f0(a: Small, b: Small) -> Small:
    i = 0
    for n in range(0, 2):
        i += n
    n = 0
    while n < 5:
        n += 1
    return i + n
@thread("T")
def main():
    x = f0(7, 11)
    box.x = x
"""


@example(REUSED)  # what counted a loop has no bounds afterwards
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program_text())
def test_a_run_equals_plain_evaluation(text: str) -> None:
    found, machine = as_model(compiled(text))
    assert found == as_python(text)
    left = [key for key in machine.state if key[0] == "local"]
    assert left == [], "a finished thread leaves no local behind"


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program_text())
def test_only_live_locals_are_kept(text: str) -> None:
    program = compiled(text)
    machine = Machine(program)
    for _ in range(MAX_STEPS):
        label = machine.get(("pc", 1))
        if label == 0:
            return
        step = program.step_at(label)
        parameters = {name for name, _ in program.functions[step.function].parameters}
        for key in machine.state:
            if key[0] == "local" and key[2] == step.function and key[3] not in step.live:
                at_entry = label == program.functions[step.function].entry
                assert (at_entry and key[3] in parameters) or key[3] == "return value", (key, step)
        machine.step(1)

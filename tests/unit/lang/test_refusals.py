# SPDX-License-Identifier: GPL-2.0-only
"""Every refusal of the model language: its message, its place and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultlock.errors import LanguageErrors
from faultlock.lang.model import compile_model, load_model

PRELUDE = '''"""A small kernel."""
N_THREADS: Param = 2
LIMIT = 3
class Mode(Enum):
    NONE = 0
    READ = 1
class Box(Struct, count=2):
    value: Range[0, 10]
    other: Range[0, 10]
    locked: bool
    owner: Thread
    kept: Const[Range[0, 3]]
    items: Array[4, Range[0, 3]]
class Thread(Struct, count=N_THREADS):
    fatal_signal_pending: bool
    woken: bool
    mine: Private[Range[0, 3]]
    box: Private[Box]
@atomic
def box_lock(box: Box) -> bool:
    if box.locked:
        return False
    box.locked = True
    return True
def work(n: Range[0, 3]) -> Range[0, 3]:
    return n
@role
def loop():
    x = work(1)
'''


def refusals(tmp_path: Path, text: str, prelude: str = PRELUDE) -> list[str]:
    """The error lines of prelude + text."""
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "base.py").write_text(prelude + text, encoding="utf-8")
    with pytest.raises(LanguageErrors) as caught:
        compile_model(load_model("", (), folder), everything=True)
    return [str(error) for error in caught.value.errors]


IN_FUNCTION = [
    ("x = Nope", "unknown name Nope"),
    ("x = LIMITT", "did you mean LIMIT"),
    ("nope(1)", "unknown function nope"),
    ("x = current.nope", "Thread has no field nope"),
    (
        "b: Box = None\n    x = b.value + b.other",
        "a line is a step: two shared accesses (b.value, b.other)",
    ),
    ("b: Box = None\n    b.value = b.other", "a line is a step"),
    (
        "b: Box = None\n    x = box_lock(b) and b.locked",
        "two shared accesses (box_lock(), b.locked)",
    ),
    (
        "b: Box = None\n    if work(1) == 1:\n        pass",
        "work is a step function and cannot be called here",
    ),
    ("x = work(4)", "argument n of work: 4 is outside 0..3"),
    ("x = work(True)", "argument n of work is Range, this is bool"),
    ("x = work()", "work takes 1 arguments by position ((n))"),
    ("x = work(n=1)", "work takes 1 arguments by position"),
    ("b: Box = None\n    b.value = 11", "Box.value: 11 is outside 0..10"),
    ("b: Box = None\n    b.value = True", "Box.value is Range, this is bool"),
    ("b: Box = None\n    b.locked = 1", "Box.locked is bool, this is int"),
    ("b: Box = None\n    b.kept = 1", "Box.kept is Const"),
    (
        "b: Box = None\n    t: Thread = None\n    x = t.mine",
        "Thread.mine is Private: only current may access it",
    ),
    ("b: Box = None\n    x = b.items", "Box.items is an array"),
    ("b: Box = None\n    x = b.value[1]", "Box.value is not an array"),
    ("b: Box = None\n    if b == current:\n        pass", "Box is compared with Thread"),
    ("b: Box = None\n    if b < b:\n        pass", "Box has no order"),
    ("x = 1 < 2 < 3", "chained comparison"),
    ("x = 1 / 2", "operator / is not in the language"),
    ("x = [1]", "a list is not an expression of the language"),
    ("x = lambda: 1", "lambda is not an expression of the language (write a function)"),
    ("x = 'text'", "'text' is not a value of the language"),
    ("x = 1.5", "1.5 is not a value of the language"),
    ("x = Mode.WRITE", "Mode has no member WRITE (one of NONE, READ)"),
    ("x = None", "the type of x is unknown"),
    ("x = y = 1", "several targets"),
    ("x: int = 1\n    x: bool = True", "x has two types"),
    ("LIMIT = 1", "LIMIT is a name of the model"),
    ("x = 1\n    del x", "del is not a statement of the language"),
    ("import os", "import is not a statement of the language"),
    (
        "try:\n        pass\n    except ValueError:\n        pass",
        "try is not a statement of the language",
    ),
    ("for x in [1, 2]:\n        pass", "a loop goes over range(first, end) or each(Struct)"),
    ("for x in each(Nope):\n        pass", "each takes the name of a struct"),
    ("for n in range(0, 2):\n        n += 1", "n counts the rounds of a loop"),
    ("for n in range(0, 2):\n        with atomic:\n            n = 1", "n counts the rounds of a"),
    ("for n in range(2):\n        n = choose(0, 1, 'x')", "n counts the rounds of a loop"),
    (
        "for n in range(2):\n        for n in range(3):\n            pass",
        "n counts the rounds of a loop",
    ),
    ("while True:\n        pass\n    x = 1", "unreachable code"),
    ("return\n    x = 1", "unreachable code"),
    ("break", "outside a loop"),
    ("return 1", "probe returns nothing"),
    ("with open:\n        pass", "only `with atomic:` is in the language"),
    (
        "with atomic:\n        x = work(1)",
        "an atomic block or function calls atomic functions only",
    ),
    ("with atomic:\n        wait(current.woken)", "wait cannot stand inside an atomic step"),
    ("b: Box = None\n    wait(b.locked)", "a wait condition reads b.locked"),
    (
        "b: Box = None\n    wait(box_lock(b))",
        "a wait condition reads only locals and fields of current",
    ),
    ("wait()", "wait takes a condition"),
    ("wait(current.woken, maybe)", "wait takes a condition"),
    ("wait(current.woken, by=1)", "wait takes on=reference"),
    ("choose(0, 2, 'x')", "the chosen value is not used"),
    ("x = choose(0, 2)", "not a choice"),
    ("cpu()", "cpu takes the name of a cost"),
    ("sleep()", "sleep takes a time"),
    ("emit(1)", "emit takes a name and at most three values"),
    ("x = alloc(1)", "alloc takes the name of a struct"),
    ("free(1)", "free takes a reference, this is int"),
    ("assert current.woken", "assert without a property"),
    ("x = work(1) + 1", "work is a step function and cannot be called here"),
    ("current.woken += work(1)", "the result of a step function goes to a local"),
]


@pytest.mark.parametrize(
    ("body", "message"), IN_FUNCTION, ids=[item[1][:48] for item in IN_FUNCTION]
)
def test_refusal_in_a_function(tmp_path: Path, body: str, message: str) -> None:
    errors = refusals(tmp_path, f"def probe():\n    {body}\n")
    assert any(message in error for error in errors), errors
    line = next(error for error in errors if message in error)
    place = line.split(": ")[0].rsplit(":", 2)
    assert place[1].isdigit() and place[2].isdigit() and int(place[1]) > PRELUDE.count("\n")


AT_TOP = [
    ("import os\n", "import is not allowed here"),
    ("print(1)\n", "an expression as a statement is not allowed here"),
    ("LIMIT = 4\n", "LIMIT is defined twice"),
    ("N_THREADS: Param = 4\n", "N_THREADS is defined twice"),
    ("X: int = 4\n", "not a parameter"),
    ("X = Y\n", "Y is not a constant or a parameter"),
    ("X = X + 1\n", "X is defined by itself"),
    ("class A:\n    pass\n", "class A is not a Struct or an Enum"),
    ("class Box(Struct, count=1):\n    a: bool\n", "Box is defined twice"),
    ("class A(Struct, count=1):\n    a: bool\n    a: bool\n", "A.a is defined twice"),
    ("class A(Struct, count=1):\n    a: Nope\n", "Nope is not a type"),
    ("class A(Struct, count=1):\n    a: Private[bool]\n", "only fields of Thread can be Private"),
    ("class A(Struct, count=1):\n    a = 1\n", "not a field"),
    ("@cached\ndef f():\n    pass\n", "@cached is not a decorator of the language"),
    ("def work(n: int):\n    pass\n", "work is defined twice"),
    ("def f(a):\n    pass\n", "parameter a has no type"),
    ("def f(*a):\n    pass\n", "only plain parameters"),
    ("def f() -> bool:\n    pass\n", "f ends without a return"),
    (
        "@atomic\ndef f() -> bool:\n    if LIMIT == 3:\n        return True\n",
        "f ends without a return",
    ),
    ("def f():\n    g()\ndef g():\n    f()\n", "calls itself through"),
    ("@atomic\ndef f():\n    f()\n", "f calls itself through f"),
    ("@thread('T')\ndef f(a: int):\n    pass\n", "f is the entry of a thread"),
    (
        "@role\ndef r():\n    pass\ndef f():\n    r()\n",
        "r is the entry of a thread and cannot be called",
    ),
    (
        "@atomic\ndef f():\n    with atomic:\n        pass\n",
        "an atomic function is one step already",
    ),
    ("def f(:\n", "not Python syntax"),
    ("def f():\n    x = " + "~" * 99 + "1\n", "nested more than 100 levels deep"),
    ("def f():\n    x = 1" + " + 1" * 700 + "\n", "nested more than 100 levels deep"),
]


@pytest.mark.parametrize(("text", "message"), AT_TOP, ids=[item[1][:48] for item in AT_TOP])
def test_refusal_at_top_level(tmp_path: Path, text: str, message: str) -> None:
    errors = refusals(tmp_path, text)
    assert any(message in error for error in errors), errors


def test_errors_do_not_stop_at_the_first(tmp_path: Path) -> None:
    errors = refusals(tmp_path, "def probe():\n    x = Nope\n    y = Nada\n    import os\n")
    assert len(errors) >= 3
    assert errors == sorted(errors, key=lambda line: int(line.split(":")[1]))

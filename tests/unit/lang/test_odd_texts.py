# SPDX-License-Identifier: GPL-2.0-only
"""Texts that nobody would write on purpose: each is refused in words, none ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faultlock.errors import FaultlockError, LanguageErrors
from faultlock.lang import wording
from faultlock.lang.layout import Layout
from faultlock.lang.model import compile_model, load_model
from tests.unit.lang.test_refusals import PRELUDE, refusals

IN_FUNCTION = [
    ("if (x := 1) == 1:\n        pass", "`:=` is not an expression", "assign on a line of its own"),
    ('x = f"{1}"', "an f-string is not an expression", ""),
    ("x = [i for i in range(3)]", "a comprehension is not an expression", "write a loop"),
    ("x = {1: 2}", "a dict is not an expression", ""),
    ("def inner():\n        pass", "a function inside a function", "move it to the top level"),
    ("x = 99999999999999999999", "an integer of 67 bits is not a value", "64-bit integers"),
    ("x = 0x" + "f" * 5000, "an integer of 20000 bits is not a value", "64-bit integers"),
    ("x = " + "9" * 6000, "an integer of thousands of digits", "64-bit integers"),
    ("x = " + "-" * 5000 + "1", "nested deeper than Python's parser can follow", "use locals"),
    ("x = " + "(" * 5000 + "1" + ")" * 5000, "too many nested parentheses", ""),
    ("x = 2 ** 3", "operator ** is not in the language", ""),
    ("x = 1 in 2", "`in` is not a comparison", ""),
    ("min = 3", "min is a name of the model", "call the local something else"),
    ("größe = 1", "größe has a character that is not ASCII", "write names with a-z"),
    ("x = 'a' * 3", "'a' is not a value of the language", ""),
    ("x = '" + "a" * 5000 + "'", "aaa... is not a value of the language", ""),
    ("x = ...", "... is not a value of the language", ""),
    ("x = 1 \0", "a NUL byte in the text", "remove it"),
    ("x = 1; y = 2", "two statements on one line", "a line is a step"),
    ("if 1 == 2: x = 1", "two statements on one line", "a line is a step"),
    ("yield 1", "an expression as a statement is not a statement", ""),
]
AT_TOP = [
    ("async def f():\n    pass", "async def is not allowed here"),
    ("f = lambda x: x", "lambda x: x is not a constant expression"),
    ("A = B2\nB2 = A", "A is defined by itself"),
    ("BIG = 99999999999999999999", "an integer of 67 bits is not a 64-bit integer"),
    ("def cpu(x: int) -> int:\n    return 1", "cpu is a word of the language"),
    ("current = 5", "current is a word of the language"),
    ("class int(Struct, count=1):\n    x: bool", "int is a word of the language"),
    ("wait: Param = 5", "wait is a word of the language"),
    ("class Z(Struct, count=1):\n    y: Range[5, 1]", "Range[5, 1] is empty"),
    ("def f(a: int, a: int) -> int:\n    return a", "two parameters are named a"),
    ("def f(*a, **b) -> int:\n    return 1", "only plain parameters"),
    ("@atomic\ndef f(*a, **b) -> int:\n    return 1", "only plain parameters"),
    ("@atomic\ndef f(a: int, /) -> int:\n    return 1", "only plain parameters"),
    ("@atomic\ndef f(a: int = 5) -> int:\n    return 1", "only plain parameters"),
    ("@property\ndef f() -> int:\n    return 1", "@property is not a decorator of the language"),
    ("def wоrk() -> int:\n    return 1", "wоrk has a character that is not ASCII"),  # noqa: RUF001
    ("x = 1\n\ty = 2", "not Python syntax: unindent"),
    ("if True:\n    pass", "if is not allowed here"),
]


@pytest.mark.parametrize("text, what, cure", IN_FUNCTION, ids=[w[:30] for _, w, _ in IN_FUNCTION])
def test_in_a_function(tmp_path: Path, text: str, what: str, cure: str) -> None:
    found = refusals(tmp_path, f"def f() -> int:\n    {text}\n    return 0\n")
    assert any(what in line and cure in line for line in found), found
    assert all(len(line) < 300 for line in found)


@pytest.mark.parametrize("text, what", AT_TOP, ids=[what[:30] for _, what in AT_TOP])
def test_at_top_level(tmp_path: Path, text: str, what: str) -> None:
    found = refusals(tmp_path, text + "\n")
    assert any(what in line for line in found) or "unexpected indent" in found[0], found


def test_the_place_of_a_nul_byte_and_of_a_foreign_name(tmp_path: Path) -> None:
    assert wording.syntax_problem(ValueError("x"), "ab\nc\0d")[:2] == (2, 2)
    assert list(wording.foreign_names("a = 1\nb = é + 1\n")) == [(2, 5, "é")]
    assert list(wording.foreign_names("a = 1  # é\n'é'\n")) == [], "comments and texts may"


def test_functions_that_call_each_other_in_a_long_chain(tmp_path: Path) -> None:
    chain = "".join(
        f"@atomic\ndef f{i}() -> int:\n    return f{i + 1}()\n" for i in range(2000)
    )
    found = refusals(tmp_path, chain + "@atomic\ndef f2000() -> int:\n    return 0\n")
    assert len(found) == 1 and "calls nest more than 100 deep, counted from f0" in found[0]


def test_ten_thousand_errors_are_all_reported(tmp_path: Path) -> None:
    calls = "".join(f"    nosuch{i}()\n" for i in range(10_000))
    found = refusals(tmp_path, f"def f() -> int:\n{calls}    return 0\n")
    assert len(found) == 10_000 and "nosuch9999" in found[-1]


def test_a_base_that_does_not_exist_names_the_file(tmp_path: Path) -> None:
    policy = tmp_path / "mine.py"
    policy.write_text('"""x."""\nbase = "nosuch"\n', encoding="utf-8")
    with pytest.raises(FaultlockError, match=r"base of .*mine\.py: nosuch: no such policy"):
        load_model(str(policy))


def test_a_plus_without_a_policy() -> None:
    for name in ("+", "hold+", "hold++fork-fix"):
        with pytest.raises(FaultlockError, match="a policy is missing beside a "):
            load_model(name)


def test_a_state_that_does_not_fit_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    big = "class Z(Struct, count=1):\n    q: Array[100000000, bool]\n"
    use = "@thread('T')\ndef t():\n    z = alloc(Z)\n    z.q[0] = True\n"
    (folder / "base.py").write_text(PRELUDE + big + use, encoding="utf-8")
    program = compile_model(load_model("", (), folder))
    with pytest.raises(FaultlockError, match=r"a state takes 1000.* bytes, more than 1048576"):
        Layout(program)


@pytest.mark.parametrize("data, code, said", [
    (os.urandom(4000) + b"\xff", 2, "is not UTF-8 text"),
    ("base = 1\n".encode("utf-16"), 2, "is not UTF-8 text"),
    (b"x = 1\n" * 400_000, 2, "larger than 1000000 bytes"),
    (b"", 0, "in the language"),
    (b"\xef\xbb\xbfX = 1\n", 0, "in the language"),  # an editor's byte order mark
    (b'base = "../../etc/passwd"\n', 2, "no such policy"),
    (b"import os\nos.system('touch %s')\n", 3, "import is not allowed here"),
])  # fmt: skip
def test_lint_of_junk(tmp_path: Path, data: bytes, code: int, said: str) -> None:
    """No traceback, no "defect in faultlock", nothing is executed."""
    policy, canary = tmp_path / "junk.py", tmp_path / "canary"
    policy.write_bytes(data.replace(b"%s", str(canary).encode()))
    command = [sys.executable, "-m", "faultlock", "lint", str(policy)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == code and said in run.stdout + run.stderr
    assert "Traceback" not in run.stderr and "defect" not in run.stderr
    assert not canary.exists()


def test_language_errors_carry_a_place(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "base.py").write_text(PRELUDE + "é = 1\n", encoding="utf-8")
    with pytest.raises(LanguageErrors) as caught:
        compile_model(load_model("", (), folder), everything=True)
    first = caught.value.errors[0]
    assert (first.line, first.column) == (PRELUDE.count("\n") + 1, 1)

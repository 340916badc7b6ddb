# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return, return"
"""The checker's machine code against its Python source run by the interpreter."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.check.compiled import (
    CompiledFunction,
    compile_functions,
    compiled,
    functions,
    handle,
    import_all,
    inlined,
)
from faultlock.check.intrinsics import word_at
from faultlock.check.kinds import I64, U8, U16, U32, U64, Int, U64x2, Word
from faultlock.lang.native import load_object
from faultlock.translate.kinds import CompiledTextError

INTS = st.integers(-(1 << 40), 1 << 40)
WORDS = st.integers(0, (1 << 64) - 1).map(np.uint64)
ODD = np.array([3, 5, 7, 1 << 63], np.uint64)


class Inner(NamedTuple):
    """A part of a NamedTuple."""

    factor: int
    small: U16


class Outer(NamedTuple):
    """Numbers, arrays and another NamedTuple."""

    table: U64x2
    inner: Inner
    limit: int


@compiled
def arithmetic(x: int, y: int, s: int) -> tuple[int, int, int, int]:
    quotient, rest = x // y, x % y
    shifted = (x << s) ^ (y >> s) | (x & y)
    low = min(x, y) if x > y and not (x > 3) else max(-x, ~y)
    return quotient, rest, shifted, low


@compiled
def mixed(x: Word, y: Word) -> Word:
    high = x >> np.uint64(7)
    total = (high ^ y) * ODD[np.int64(x & np.uint64(3))]
    if x < y or x == 0:
        total += np.uint64(1)
    return ~total


@inlined
def last(numbers: I64) -> Int:
    return numbers[len(numbers) - 1]


@compiled
def rows(outer: Outer, bytes_: U8, numbers: I64, places: U32) -> Int:
    """Rows, rests of rows, other views, loops over arrays, chained assignments."""
    row = outer.table[1]
    rest = outer.table[0, 2:]
    shorts = rest.view(np.int16)
    shorts[0] = -2
    found: Int = 0
    for place in places:
        if place == 4:
            continue
        if place > outer.limit:
            break
        found += np.int64(row[place])
    numbers[0] = places[1] = found
    bytes_[0] += 250
    outer.inner.small[1] -= 1
    number = 0
    while True:
        number += outer.inner.factor
        if number > 10 or number in (8, 9):
            break
    return found + number + last(numbers[1:]) + shorts[0] + len(rest) + outer.table.shape[1]


@compiled
def first_word(words: U64) -> Word:
    return word_at(words.ctypes.data + 8)


def bound(function: Callable[..., Any]) -> Any:
    """The function in a module of its own."""
    assert isinstance(function, CompiledFunction)
    if "native" not in vars(function):
        function.native = function.bound_to(load_object(compile_functions([function])))
    return function


@given(INTS, INTS.filter(bool), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_those_of_python(x: int, y: int, s: int) -> None:
    assert bound(arithmetic)(x, y, s) == bound(arithmetic).python(x, y, s)


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None)
def test_words_are_those_of_numpy(x: Any, y: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # products overflow
        assert bound(mixed)(x, y) == int(bound(mixed).python(x, y))


def arguments() -> tuple[Any, ...]:
    table = np.arange(12, dtype=np.uint64).reshape(2, 6)
    outer = Outer(table, Inner(4, np.zeros(2, np.uint16)), 5)
    return (outer, np.full(2, 10, np.uint8), np.arange(3), np.array([1, 4, 5, 9], np.uint32))


def test_arrays_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = arguments(), arguments()
    native = bound(rows)(*one)
    monkeypatch.setitem(bound(rows).globals, "last", last.python)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert native == bound(rows).python(*two)
    for mine, other in zip((one[0].table, one[0].inner.small, *one[1:]),
                           (two[0].table, two[0].inner.small, *two[1:]), strict=True):
        assert np.array_equal(mine, other)


def test_a_handle_stands_for_its_values() -> None:
    one, two = arguments(), arguments()
    assert bound(rows)(handle(one[0]), *one[1:]) == bound(rows)(*two)


def test_memory_by_address() -> None:
    assert bound(first_word)(np.array([7, 9], np.uint64)) == 9


def test_an_array_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="words: int64, 1 dimensions, wanted U64, 1"):
        bound(first_word)(np.zeros(2, np.int64))
    with pytest.raises(TypeError, match="words"):
        bound(first_word)(np.zeros(4, np.uint64)[::2])


@compiled
def adds_word_and_int(x: int, y: Word) -> Word:
    return x + y


@compiled
def compares_order(x: int, y: Word) -> bool:
    return x < y


@compiled
def calls_python(x: int) -> int:
    return int(sum([x]))


@compiled
def ends_without_value(x: int) -> int:
    if x:
        return 1
    x = 2


@compiled
def wrong_view(numbers: U64) -> Int:
    halves = numbers.view(np.int16)
    return first_word(halves)


WRONG = [(adds_word_and_int, "is of kind int, not word"), (compares_order, "is of kind int"),
         (calls_python, r"may not contain 'sum\(\[x\]\)'"), (ends_without_value, "without a value"),
         (wrong_view, "'halves' is no array")]


@pytest.mark.parametrize(("function", "said"), WRONG, ids=lambda each: getattr(each, "name", ""))
def test_what_is_no_compiled_text_is_named_by_its_line(function: Any, said: str) -> None:
    with pytest.raises(CompiledTextError, match=rf"test_compiled.py:\d+: .*{said}"):
        compile_functions([function])


def test_a_part_is_not_called_from_python() -> None:
    with pytest.raises(TypeError, match="part of compiled functions"):
        last(np.zeros(1, np.int64))


def test_no_function_of_the_checker_is_written_for_nothing() -> None:
    from faultlock.translate.module import module_text

    import_all()
    mine = [each for each in functions.values() if "/faultlock/check/" in each.file]
    text = module_text([each for each in mine if not each.inlined])
    for function in mine:
        assert f" @{function.name}(" in text, function.name


def test_the_checker_starts_without_numba() -> None:
    """It takes half a second to load, and twenty to compile."""
    code = "import faultlock.check.run, sys; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


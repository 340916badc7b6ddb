# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return, return, return-value"
"""What the translator refuses, with the line of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import CompiledTextError
from faultlock.translate.module import module_text
from tests.unit.translate.libraries import F64, I64, Grid, Word, compiled, without_floats


class Other(NamedTuple):
    """Not what is wanted."""

    number: int


@compiled
def two_results(x: int, y: int) -> tuple[int, int]:
    return y, x


@compiled
def of_a_grid(grid: Grid, row: int) -> int:
    return grid.cells[row, 1]


@without_floats
def a_float(x: int) -> int:
    return np.int64(x / 2)


@without_floats
def a_float_parameter(x: float) -> int:
    return 1 if x < 2 else 0


@compiled
def a_float_in_a_tuple(x: float) -> tuple[float, int]:
    return x, 1


@compiled
def an_array_of_words(values: I64, x: Word) -> int:
    values[0] = x
    values[0] = 1.5
    return 1


@compiled
def a_row_as_number(grid: Grid) -> int:
    return grid.cells[0]


@compiled
def an_array_renamed(grid: Grid) -> int:
    row = grid.cells[0]
    row = grid.cells[1]
    return row[0]


@compiled
def an_array_overwritten(grid: Grid) -> int:
    row = grid.cells[0]
    row = 1
    return row


@compiled
def a_row_of_a_branch(grid: Grid, x: int) -> int:
    if x:
        row = grid.cells[0]
    return row[0]


@compiled
def nothing_there(grid: Grid) -> int:
    return grid.missing[0]  # type: ignore[attr-defined]


@compiled
def too_few(x: int) -> int:
    first, _ = two_results(x)
    return first


@compiled
def another_array(values: F64) -> int:
    return an_array_of_words(values, np.uint64(1))


@compiled
def another_namedtuple(tree: Other) -> int:
    return of_a_grid(tree, 1)


@compiled
def never_reached(x: int) -> int:
    return x
    x = 1


@compiled
def wrong_order(x: int, y: Word) -> bool:
    return x < y


@compiled
def wrong_unpacking(x: int) -> int:
    first, _, _ = two_results(x, 2)
    return first


@compiled
def keywords(x: int) -> int:
    first, _ = two_results(x, y=3)  # type: ignore[call-arg]
    return first


@compiled
def no_truth(x: int, y: int) -> bool:
    return x and y


@compiled
def a_row_returned(grid: Grid) -> Grid:
    return grid


WRONG: list[tuple[CompiledFunction, str]] = [
    (a_float, r"'x / 2' is a float"), (a_float_parameter, "'x' is a float"),
    (an_array_of_words, r"'values\[0\]' is of type float, not int"),
    (a_row_as_number, r"'grid.cells\[0\]' is a row, not a number"),
    (an_array_renamed, "is given a name once"), (an_array_overwritten, "row is an array"),
    (a_row_of_a_branch, r"may not contain 'row\[0\]'"),
    (nothing_there, "Grid has no number and no array missing"),
    (too_few, "two_results takes 2 arguments"),
    (another_array, "'values' is no array of 1 dimensions of I64"),
    (another_namedtuple, "'tree' is no Grid"), (never_reached, "never reached"),
    (wrong_order, "is of kind int, not word"), (wrong_unpacking, "3 values are needed"),
    (keywords, r"may not contain 'two_results\(x, y=3\)'"), (no_truth, "'x' is no truth value"),
    (a_row_returned, "only numbers are returned"),
]


@pytest.mark.parametrize(("function", "said"), WRONG, ids=lambda each: getattr(each, "name", ""))
def test_what_cannot_be_translated_is_named_by_its_line(
    function: CompiledFunction, said: str
) -> None:
    with pytest.raises(CompiledTextError, match=rf"test_refused\.py:\d+: .*{said}"):
        module_text([function])


def test_a_float_in_a_tuple_stays_inside() -> None:
    with pytest.raises(CompiledTextError, match="a_float_in_a_tuple cannot be called from Python"):
        module_text([a_float_in_a_tuple])

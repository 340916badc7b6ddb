# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return, return, return-value"
"""The translator by itself, with a library that has floats and one that has none.

What it refuses is in test_refused.py; what the checker's and the engine's functions use is in
tests/unit/check/test_compiled.py and tests/unit/sim/test_compiled.py."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.lang.native import load_object
from faultlock.translate import functions as module
from faultlock.translate.functions import CompiledFunction, Handle, source_digest
from faultlock.translate.kinds import (
    ArrayKind,
    CompiledTextError,
    array_kind,
    struct_kind,
)
from faultlock.translate.module import module_text
from faultlock.translate.source import resolve
from tests.unit.translate.libraries import F64, GRID, Alone, Grid, Int, U16x2, Word, compiled

INTS = st.integers(-(1 << 40), 1 << 40)
FLAG, LIMIT = True, np.int64(5)
TABLES = """# SPDX-License-Identifier: GPL-2.0-only
from __future__ import annotations
import numpy as np
TABLE = np.array([0, {number}], np.uint64)
def look_up(x: int) -> Word:
    return TABLE[x]
"""
WORDS = st.integers(0, (1 << 64) - 1).map(np.uint64)


class Leaf(NamedTuple):
    """A part of a NamedTuple."""

    shorts: U16x2
    number: int


class Tree(NamedTuple):
    """Two parts and an array of floats."""

    left: Leaf
    right: Leaf
    weights: F64


@compiled
def words_and_literals(x: Word, y: Word) -> tuple[Word, Word, bool, bool, bool]:
    low = (x + 3) * y - 1
    low ^= 5
    return low, (x >> 2) | 8, x < 7, x >= y, x == 3


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None)
def test_words_take_literals_and_have_no_sign(x: Any, y: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # products overflow
        expected = tuple(int(each) for each in words_and_literals.python(x, y))
    found = tuple(int(np.uint64(each % (1 << 64))) for each in words_and_literals(x, y))
    assert found == expected


@compiled
def folded(x: int) -> tuple[int, int, int, int]:
    return x + (3 - 5), x * -(1 << 3), 1 << 63 >> 1, (1 << 62) + (1 << 62) + x


def test_literals_are_folded_and_overflow_as_64_bits_do() -> None:
    assert "add i64 3" not in module_text([folded]) and "shl i64 1, 3" not in module_text([folded])
    assert folded(7) == (5, -56, -(1 << 62), -(1 << 63) + 7)


@compiled
def divided(x: int, y: int) -> tuple[int, int]:
    return x // y, x % y


@given(INTS, st.integers(-3, 3))
@settings(max_examples=60, deadline=None)
def test_division_is_that_of_the_model_language(x: int, y: int) -> None:
    assert divided(x, y) == (divmod(x, y) if y else (0, 0))


@compiled
def statements(x: int, flag: bool) -> tuple[int, int]:
    """A docstring, pass, chained and annotated assignments, a value that nobody wants."""
    a = b = x
    _, c = divided(x, 10)
    kept: Int = -1
    if flag:
        pass
    elif x > 5 and not (x in (8, 9) or x == 11):
        kept = a
    for number in range(10, x, -2):
        if number == 4:
            break
        b += number
    else_part = kept if kept > 0 else ~c
    return b, else_part


@given(st.integers(-20, 20), st.booleans())
@settings(max_examples=60, deadline=None)
def test_statements_are_those_of_python(x: int, flag: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(statements.globals, "divided", divided.python)
        expected = statements.python(x, flag)
    assert statements(x, flag) == expected


@compiled
def of_a_tree(tree: Tree, by: float) -> float:
    """NamedTuples in NamedTuples, rows, floats."""
    tree.left.shorts[1, 0] = tree.right.number
    row = tree.right.shorts[1]
    row[2] += 65535
    total = 0.0
    for weight in tree.weights:
        total += weight / by
    tree.weights[0] = row[2]
    return total * 2 ** len(row) + tree.left.number


def tree() -> Tree:
    return Tree(Leaf(np.zeros((2, 3), np.uint16), 3), Leaf(np.full((2, 3), 9, np.uint16), 70000),
                np.array([1.5, -2.25]))


def test_namedtuples_are_read_and_written_in_place() -> None:
    mine = tree()
    assert of_a_tree(mine, 4.0) == pytest.approx(-0.1875 * 8 + 3)
    assert of_a_tree(Handle(tree()), 4.0) == pytest.approx(-0.1875 * 8 + 3)
    assert mine.left.shorts[1, 0] == 70000 - 65536  # what does not fit is cut off
    assert mine.right.shorts[1, 2] == 8 and mine.weights[0] == 8.0


@compiled
def of_a_grid(grid: Grid, row: int) -> int:
    cells = grid.cells[row]
    cells[2] = np.int64(grid.rows[row])
    return cells[2] + grid.cells[row, 1] + 10 * grid.cells.shape[0] + 100 * len(cells)


def test_a_size_may_be_a_constant_of_the_code() -> None:
    grid = Grid(np.arange(12).reshape(4, 3), np.array([0.0, 2.0, 4.0, 6.5]))
    assert of_a_grid(Handle(grid, GRID), 3) == 6 + 10 + 40 + 300
    assert grid.cells[3, 2] == 6
    assert re.search(r"mul nsw i64 %v\d+, 3\n", module_text([of_a_grid]))
    with pytest.raises(TypeError, match=r"Grid\.cells: sizes \(4, 2\), wanted 3"):
        Handle(Grid(np.zeros((4, 2), np.int64), np.zeros(4)), GRID)


def test_values_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="Leaf is not Tree"):
        of_a_tree(tree().left, 1.0)
    wrong = tree()._replace(weights=np.zeros(2, np.float32))
    with pytest.raises(TypeError, match=r"Tree\.weights: float32, 1 dimensions, wanted F64, 1"):
        of_a_tree(wrong, 1.0)


@compiled
def constants(x: int) -> int:
    return x + module.SPEED_LEVEL if FLAG else LIMIT


def test_constants_of_this_and_other_modules_are_literals() -> None:
    assert resolve(constants, "module.SPEED_LEVEL") == module.SPEED_LEVEL
    assert resolve(constants, "module.SPEED_LEVEL.real") is None  # no name of a module
    assert resolve(constants, "nobody") is None
    assert constants(40) == 40 + module.SPEED_LEVEL
    assert f", {module.SPEED_LEVEL}\n" in module_text([constants])


def test_kinds_are_read_from_annotations() -> None:
    assert array_kind("U16x2") == ArrayKind("U16", 2) and array_kind("F64") == ArrayKind("F64", 1)
    assert array_kind("U12") is None and array_kind("U64xy") is None
    kind = struct_kind(cast(Any, Tree))
    assert kind.words == 4 + 4 + 2
    assert kind.fields["right"].word == 4 and kind.fields["weights"].sizes == (9,)
    assert of_a_tree.signature.words == [("tree", "ptr"), ("by", "float")]

    class Wrong(NamedTuple):
        text: str

    with pytest.raises(CompiledTextError, match=r"Wrong\.text: str is no kind of a field"):
        struct_kind(cast(Any, Wrong))


def test_code_is_kept_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that has not loaded it takes it from there, without compiling."""
    monkeypatch.setenv("FAULTLOCK_CACHE", str(tmp_path))
    first = CompiledFunction(divided.python, Alone(floats=True))
    assert first(7, 2) == (3, 1)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.delattr(module, "compile_functions")
    assert CompiledFunction(divided.python, Alone(floats=True))(9, 2) == (4, 1)


def test_the_digest_covers_the_package_the_file_and_the_translator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator, package = tmp_path / "translate", tmp_path / "package"
    paths_read = [tmp_path / "one.py", package / "part.py", translator / "functions.py",
                  translator / "other.py"]
    for path in paths_read:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")
    assert Path(module.__file__).parent.name == "translate"
    monkeypatch.setattr(module, "__file__", str(translator / "functions.py"))

    def digest() -> str:
        source_digest.cache_clear()
        return source_digest(package, tmp_path / "one.py")

    digests = [digest(), digest()]
    assert digests[0] == digests[1]
    for path in paths_read:
        path.write_text("x = 2\n", encoding="utf-8")
        digests.append(digest())
    source_digest.cache_clear()
    assert len(set(digests)) == 1 + len(paths_read)


def test_constant_arrays_of_two_modules_may_have_one_name(tmp_path: Path) -> None:
    """Each function reads its own module's."""
    functions = []
    for name, number in (("one", 5), ("two", 7)):
        path = tmp_path / f"{name}.py"
        path.write_text(TABLES.format(number=number), encoding="utf-8")
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None and specification.loader is not None
        loaded = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(loaded)
        functions.append(compiled(loaded.look_up))
    engine = load_object(module.compile_functions(functions))
    assert [each.bound_to(engine)(1) for each in functions] == [5, 7]

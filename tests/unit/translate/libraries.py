# SPDX-License-Identifier: GPL-2.0-only
"""A library that has floats and one that has none, for the tests of the translator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from faultlock.translate.functions import CompiledFunction, Library
from faultlock.translate.kinds import ArrayKind, Field, Kind, StructKind
from faultlock.translate.statements import FunctionWriter

Int: TypeAlias = Any
Word: TypeAlias = Any
I64: TypeAlias = Any
F64: TypeAlias = Any
U16x2: TypeAlias = Any


class FloatWriter(FunctionWriter):
    """Floats are allowed."""

    floats = True


class Alone(Library):
    """A library whose functions have modules of their own."""

    name = "the test"

    def __init__(self, floats: bool) -> None:
        super().__init__(__file__)
        self.floats = floats

    def exports(self) -> list[CompiledFunction]:
        """None."""
        return []

    def is_export(self, function: CompiledFunction) -> bool:
        """None is."""
        return False

    def kind_of(self, text: str, names: dict[str, Any]) -> Kind | None:
        """Also: Grid, whose rows have three elements always."""
        return GRID if text == "Grid" else super().kind_of(text, names)

    @property
    def writer(self) -> type[FunctionWriter]:
        """With or without floats."""
        return FloatWriter if self.floats else FunctionWriter


library, whole_numbers = Alone(floats=True), Alone(floats=False)


def compiled(function: Callable[..., Any]) -> CompiledFunction:
    """A function of the library with floats."""
    return CompiledFunction(function, library)


def without_floats(function: Callable[..., Any]) -> CompiledFunction:
    """A function of the other."""
    return CompiledFunction(function, whole_numbers)


class Grid(NamedTuple):
    """An array some of whose sizes are constants of the machine code."""

    cells: Any
    rows: Any


GRID = StructKind(Grid, {"cells": Field(ArrayKind("I64", 2), 0, (2, "3")),
                         "rows": Field(ArrayKind("F64", 1), 1, (2,))}, 3)

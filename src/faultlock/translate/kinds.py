# SPDX-License-Identifier: GPL-2.0-only
"""Kinds: what compiled functions take, give and work on.

A kind is a name of TYPES, an ArrayKind, or a StructKind: a NamedTuple, which machine code sees as
a pointer to words of 64 bits.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

# kinds of numbers, and their types in LLVM; word: 64 bits without a sign; ptr: an address
TYPES = {"int": "i64", "word": "i64", "bool": "i1", "float": "double", "ptr": "ptr",
         "none": "void"}
NUMBERS = ("int", "word", "bool", "float")
C_TYPES: dict[str, Any] = {"int": ctypes.c_int64, "word": ctypes.c_uint64, "bool": ctypes.c_int64,
                           "float": ctypes.c_double, "ptr": ctypes.c_void_p, "none": None}
ANNOTATIONS = {"int": "int", "Int": "int", "bool": "bool", "float": "float", "Word": "word",
               "np.uint64": "word", "None": "none"}


class CompiledTextError(TypeError):
    """Source of a compiled function that cannot be translated."""


@dataclass(frozen=True)
class Element:
    """An element of an array; widening: how its number becomes one of 64 bits."""

    numpy: type[np.generic]
    type: str  # in memory
    bytes: int
    kind: str
    widening: str = ""


ELEMENTS = {
    "U8": Element(np.uint8, "i8", 1, "int", "zext"),
    "U16": Element(np.uint16, "i16", 2, "int", "zext"),
    "U32": Element(np.uint32, "i32", 4, "int", "zext"),
    "I16": Element(np.int16, "i16", 2, "int", "sext"),
    "I64": Element(np.int64, "i64", 8, "int"),
    "U64": Element(np.uint64, "i64", 8, "word"),
    "F64": Element(np.float64, "double", 8, "float"),
}


@dataclass(frozen=True)
class ArrayKind:
    """An array without gaps, passed as its address and sizes."""

    element: str
    dimensions: int


@dataclass(frozen=True)
class Field:
    """A field of a NamedTuple: its kind and the first of its words.

    sizes, of an array: each a number (str) or the word that holds it."""

    kind: Kind
    word: int
    sizes: tuple[str | int, ...] = ()


@dataclass(frozen=True, eq=False)
class StructKind:
    """A NamedTuple as so many words."""

    python: type
    fields: dict[str, Field]
    words: int


Kind = str | ArrayKind | StructKind


def array_kind(name: str) -> ArrayKind | None:
    """The kind that U64, I16x2 and the like stand for; None: none."""
    element, _, dimensions = name.partition("x")
    if element not in ELEMENTS or not (dimensions or "1").isdigit():
        return None
    return ArrayKind(element, int(dimensions or "1"))


def kind_of(text: str, names: dict[str, Any]) -> Kind | None:
    """The kind that an annotation of a module with these names stands for; None: none."""
    value = names.get(text)
    if hasattr(value, "_fields"):
        return struct_kind(value)
    return ANNOTATIONS.get(text) or array_kind(text)


@functools.cache
def struct_kind(python: type) -> StructKind:
    """The words of a NamedTuple: a number takes one, an array its address and its sizes.

    Raises CompiledTextError: an annotation that is no kind."""
    names = vars(sys.modules[python.__module__])
    fields: dict[str, Field] = {}
    words = 0
    for name, annotation in python.__annotations__.items():
        text = str(getattr(annotation, "__forward_arg__", annotation))
        kind = kind_of(text, names)
        if kind is None:
            raise CompiledTextError(f"{python.__name__}.{name}: {text} is no kind of a field")
        sizes: tuple[int, ...] = ()
        if isinstance(kind, ArrayKind):
            sizes = tuple(words + 1 + each for each in range(kind.dimensions))
        fields[name] = Field(kind, words, sizes)
        words += kind.words if isinstance(kind, StructKind) else 1 + len(sizes)
    return StructKind(python, fields, words)


@dataclass(frozen=True, eq=False)
class Signature:
    """Parameters (name, kind) and kind of the result; results: kinds of a tuple, else ()."""

    parameters: tuple[tuple[str, Kind], ...]
    result: str
    results: tuple[str, ...] = ()

    @property
    def words(self) -> list[tuple[str, str]]:
        """(name, kind) of what is passed: addresses, sizes and numbers."""
        passed: list[tuple[str, str]] = []
        for name, kind in self.parameters:
            passed.append((name, kind if isinstance(kind, str) else "ptr"))
            if isinstance(kind, ArrayKind):
                passed += [(f"{name}.{each}", "int") for each in range(kind.dimensions)]
        return passed

    @property
    def llvm(self) -> str:
        """The result's type."""
        if not self.results:
            return TYPES[self.result]
        return "{ " + ", ".join(TYPES[kind] for kind in self.results) + " }"

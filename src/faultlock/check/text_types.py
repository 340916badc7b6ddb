# SPDX-License-Identifier: GPL-2.0-only
"""What compiled functions take and give, read from their annotations.

A kind is "int", "word", "bool" or "none", or (element, dimensions) of an array (kinds.py), or a
StructType: a NamedTuple, which machine code sees as a pointer to words.
"""

from __future__ import annotations

import ast
import ctypes
import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultlock.check.kinds import array_type

if TYPE_CHECKING:
    from faultlock.check.compiled import CompiledFunction

TYPES = {"int": "i64", "word": "i64", "bool": "i1", "none": "void"}
ANNOTATIONS = {"int": "int", "Int": "int", "bool": "bool", "Word": "word", "None": "none"}
C_TYPES: dict[str, Any] = {"int": ctypes.c_int64, "word": ctypes.c_uint64, "bool": ctypes.c_int64,
                           "none": None, "ptr": ctypes.c_void_p}


class CompiledTextError(TypeError):
    """Source of a compiled function that cannot be translated."""


@dataclass(frozen=True)
class Field:
    """A field of a NamedTuple: its kind and the first of its words."""

    type: Kind
    word: int


@dataclass(frozen=True, eq=False)
class StructType:
    """A NamedTuple: numbers take a word, an array its address and its sizes."""

    python: type
    fields: dict[str, Field]
    words: int


Kind = str | tuple[str, int] | StructType


@dataclass(frozen=True, eq=False)
class Signature:
    """Parameters (name, kind), kind of the result; results: kinds of a tuple."""

    parameters: tuple[tuple[str, Kind], ...]
    result: str
    results: tuple[str, ...] = ()

    @property
    def words(self) -> list[tuple[str, str]]:
        """(name, kind) of what is passed: pointers, sizes and numbers."""
        passed: list[tuple[str, str]] = []
        for name, kind in self.parameters:
            if isinstance(kind, str):
                passed.append((name, kind))
            else:
                passed.append((name, "ptr"))
            if isinstance(kind, tuple):
                passed += [(f"{name}.{size}", "int") for size in range(kind[1])]
        return passed

    @property
    def llvm(self) -> str:
        """The result's type."""
        if not self.results:
            return TYPES[self.result]
        return "{ " + ", ".join(TYPES[kind] for kind in self.results) + " }"


@functools.cache
def source_tree(file: str) -> dict[str, ast.FunctionDef]:
    """The functions of a source file by name."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def definition(function: CompiledFunction) -> ast.FunctionDef:
    """The syntax tree of a function."""
    return source_tree(function.file)[function.python.__name__]


def kind_of(text: str, names: dict[str, Any]) -> Kind | None:
    """The kind that an annotation stands for; None: it stands for none."""
    if text in ANNOTATIONS:
        return ANNOTATIONS[text]
    found = array_type(text)
    if found is not None:
        return found
    value = names.get(text)
    return struct_type(value) if hasattr(value, "_fields") else None


@functools.cache
def struct_type(python: type) -> StructType:
    """The words of a NamedTuple.  Raises CompiledTextError."""
    names = vars(sys.modules[python.__module__])
    fields: dict[str, Field] = {}
    words = 0
    for name, annotation in python.__annotations__.items():
        text = getattr(annotation, "__forward_arg__", annotation)
        kind = kind_of(str(text), names)
        if kind is None:
            raise CompiledTextError(f"{python.__name__}.{name}: {text} is no kind of a field")
        fields[name] = Field(kind, words)
        words += 1 if isinstance(kind, str) else (
            1 + kind[1] if isinstance(kind, tuple) else kind.words)
    return StructType(python, fields, words)


def signature_of(function: CompiledFunction) -> Signature:
    """Kinds of parameters and result, from the annotations.  Raises CompiledTextError."""
    node = definition(function)

    def kind(annotation: ast.expr | None) -> Kind:
        text = ast.unparse(annotation) if annotation else "nothing"
        found = kind_of(text, function.globals)
        if found is None:
            raise CompiledTextError(f"{function.file}:{node.lineno}: {text} is no kind of value")
        return found

    def number(annotation: ast.expr | None) -> str:
        found = kind(annotation)
        if not isinstance(found, str):
            raise CompiledTextError(f"{function.file}:{node.lineno}: only numbers are returned")
        return found

    parameters = tuple((each.arg, kind(each.annotation)) for each in node.args.args)
    returns = node.returns
    if isinstance(returns, ast.Subscript) and isinstance(returns.slice, ast.Tuple):
        return Signature(parameters, "tuple", tuple(number(each) for each in returns.slice.elts))
    return Signature(parameters, number(returns))

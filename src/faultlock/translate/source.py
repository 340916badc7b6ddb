# SPDX-License-Identifier: GPL-2.0-only
"""The Python source of compiled functions."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import CompiledTextError, Kind, Signature


@functools.cache
def source_tree(file: str) -> dict[str, ast.FunctionDef]:
    """The functions of a source file by name."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def definition(function: CompiledFunction) -> ast.FunctionDef:
    """The syntax tree of a function."""
    return source_tree(function.file)[function.python.__name__]


def signature_of(function: CompiledFunction) -> Signature:
    """Kinds of parameters and result, from the annotations.  Raises CompiledTextError."""
    node, library = definition(function), function.library

    def kind(annotation: ast.expr | None) -> Kind:
        text = ast.unparse(annotation) if annotation else "nothing"
        found = library.kind_of(text, function.globals)
        if found is None:
            raise CompiledTextError(
                f"{function.file}:{node.lineno}: {text} is no type of {library.name}")
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


def resolve(function: CompiledFunction, name: str) -> Any:
    """What a global name of a function, or a name of a module that it imports, stands for; None:
    nothing."""
    first, *rest = name.split(".")
    value = function.globals.get(first)
    for each in rest:
        value = getattr(value, each, None) if isinstance(value, ModuleType) else None
    return value

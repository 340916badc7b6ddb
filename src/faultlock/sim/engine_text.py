# SPDX-License-Identifier: GPL-2.0-only
"""The LLVM module of the engine's functions, translated from their Python source.

What such a function may contain: whole numbers of 64 bits, floats, truth values and np.uint64
words; elements of the engine's arrays (`engine.NAME[i, j]`) and local names for an array or a row
of one; assignments, if, while, for in range(), break, continue, return; calls of other such
functions and of the model's (`step`, `run`); min, max, abs, math.sqrt/log/exp/cos; constants of a
module.  As in the model language, x // 0 and x % 0 are 0.  Indices are not checked and never
negative.  Anything else is an EngineCodeError that names the line.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faultlock.lang.llvm_module import ARITHMETIC_HELPERS

if TYPE_CHECKING:
    from faultlock.sim.compiled import CompiledFunction

# kinds of values, and their types in LLVM
TYPES = {
    "int": "i64", "word": "i64", "bool": "i1", "float": "double", "engine": "ptr", "step": "ptr",
    "none": "void",
}  # fmt: skip
ANNOTATIONS = {
    "int": "int", "bool": "bool", "float": "float", "np.uint64": "word", "Engine": "engine",
    "Step": "step", "None": "none",
}  # fmt: skip

DECLARATIONS = """
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.abs.i64(i64, i1)
declare double @llvm.fabs.f64(double)
declare double @llvm.sqrt.f64(double)
declare double @llvm.exp.f64(double)
declare double @llvm.log.f64(double)
declare double @llvm.cos.f64(double)
declare double @llvm.pow.f64(double, double)

!0 = !{}
!1 = !{!"an array of the engine"}
"""


class EngineCodeError(TypeError):
    """Source of the engine that its compiler does not know."""


@dataclass(frozen=True)
class Signature:
    """Parameters (name, kind), kind of the result; results: kinds of a tuple."""

    parameters: tuple[tuple[str, str], ...]
    result: str
    results: tuple[str, ...] | None = None

    @property
    def llvm(self) -> str:
        """The result's type."""
        if self.results is None:
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


@functools.cache
def signature_of(function: CompiledFunction) -> Signature:
    """Kinds of parameters and result, from the annotations.  Raises EngineCodeError."""
    node = definition(function)

    def kind(annotation: ast.expr | None) -> str:
        text = ast.unparse(annotation) if annotation else "nothing"
        if text not in ANNOTATIONS:
            raise EngineCodeError(f"{function.file}:{node.lineno}: {text} is no type of the engine")
        return ANNOTATIONS[text]

    parameters = tuple((each.arg, kind(each.annotation)) for each in node.args.args)
    returns = node.returns
    if isinstance(returns, ast.Subscript) and isinstance(returns.slice, ast.Tuple):
        return Signature(parameters, "tuple", tuple(kind(each) for each in returns.slice.elts))
    return Signature(parameters, kind(returns))


def module_text(exports: Sequence[CompiledFunction]) -> str:
    """A module with `call.NAME` for each of these functions, and all that they call."""
    from faultlock.sim.engine_function import FunctionWriter
    from faultlock.sim.handle import FIELDS

    texts: dict[str, str] = {}
    waiting = list(exports)
    while waiting:
        function = waiting.pop()
        if function.name not in texts:
            writer = FunctionWriter(function)
            texts[function.name] = writer.text()
            waiting += writer.callees
    parts = [DECLARATIONS, *ARITHMETIC_HELPERS.values()]
    # Each array has memory of its own: what is written to one leaves the others as they were.
    for name, number in FIELDS.items():
        kind, tag = 2 * number + 2, 2 * number + 3
        parts.append(f'!{kind} = !{{!"{name}", !1, i64 0}}\n!{tag} = !{{!{kind}, !{kind}, i64 0}}')
    parts += [texts[name] for name in sorted(texts)]
    parts += [exported(function) for function in exports]
    return "\n".join(parts)


def exported(function: CompiledFunction) -> str:
    """`call.NAME`: the function with C's way of calling; a tuple goes to a last argument."""
    signature = signature_of(function)
    c_types = {"bool": "i64", "step": "i64"}
    outer = [f"{c_types.get(k, TYPES[k])} %{name}.p" for name, k in signature.parameters]
    lines, inner = [], []
    for name, kind in signature.parameters:
        operand = f"%{name}.p"
        if kind in c_types:
            cast = "icmp ne i64" if kind == "bool" else "inttoptr i64"
            lines.append(
                f"  %{name}.c = {cast} {operand}" + (", 0" if kind == "bool" else " to ptr")
            )
            operand = f"%{name}.c"
        inner.append(f"{TYPES[kind]} {operand}")
    call = f"call fastcc {signature.llvm} @{function.name}({', '.join(inner)})"
    result = signature.llvm
    if signature.results is not None:
        outer.append("ptr %results")
        lines.append(f"  %value = {call}")
        for number, kind in enumerate(signature.results):
            lines.append(f"  %part{number} = extractvalue {signature.llvm} %value, {number}")
            lines.append(f"  %place{number} = getelementptr i64, ptr %results, i64 {number}")
            lines.append(f"  store {TYPES[kind]} %part{number}, ptr %place{number}")
        lines.append("  ret void")
        result = "void"
    elif signature.result == "none":
        lines += [f"  {call}", "  ret void"]
    elif signature.result == "bool":
        lines += [f"  %value = {call}", "  %wide = zext i1 %value to i64", "  ret i64 %wide"]
        result = "i64"
    else:
        lines += [f"  %value = {call}", f"  ret {signature.llvm} %value"]
    body = "\n".join(lines)
    return f"\ndefine {result} @call.{function.name}({', '.join(outer)}) nounwind {{\n{body}\n}}\n"

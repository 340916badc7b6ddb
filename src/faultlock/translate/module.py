# SPDX-License-Identifier: GPL-2.0-only
"""The LLVM module of compiled functions, translated from their Python source.

What such a function may contain: whole numbers of 64 bits (int), np.uint64 words (Word) and
truth values, floats where the library has them; NamedTuples of numbers, arrays and NamedTuples;
elements of arrays, rows and views of them (`a[i]`, `a[n:]`, `a.view(np.uint8)`), `len(a)`,
`a.shape[i]`, `a.ctypes.data`; assignments, if, while, for in range() or over an array, break,
continue, return; calls of other such functions, and of what the library adds; min, max; constants
of a module.  int and Word do not mix but in tests for equality.  As in the model language, x // 0
and x % 0 are 0.  Indices are not checked and never negative.  Anything else is a
CompiledTextError that names the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from faultlock.lang.llvm_module import ARITHMETIC_HELPERS
from faultlock.translate.arrays import ModuleParts
from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import TYPES, CompiledTextError, Signature
from faultlock.translate.values import HELPERS

DECLARATIONS = """
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare double @llvm.pow.f64(double, double)
"""


def module_text(exports: Sequence[CompiledFunction]) -> str:
    """A module with `call.NAME` for each of these functions of one library, and all that they
    call.  Raises CompiledTextError."""
    writer = exports[0].library.writer
    texts: dict[str, str] = {}
    common = ModuleParts()
    waiting = list(exports)
    while waiting:
        function = waiting.pop()
        if function.name not in texts:
            written = writer(function, common)
            texts[function.name] = written.text()
            waiting += written.callees
    parts = [DECLARATIONS, writer.declarations]
    parts += [ARITHMETIC_HELPERS[name] for name in HELPERS.values()]
    parts += common.lines()
    parts += [texts[name] for name in sorted(texts)]
    parts += [exported(function) for function in exports]
    return "\n".join(parts)


def exported(function: CompiledFunction) -> str:
    """`call.NAME`: the function with C's way of calling; a tuple goes to a last argument."""
    signature = function.signature
    outer, inner, lines = [], [], []
    for number, (_, kind) in enumerate(signature.words):
        given = f"%p{number}"
        if kind == "bool":
            outer.append(f"i64 {given}")
            lines.append(f"%c{number} = icmp ne i64 {given}, 0")
            inner.append(f"i1 %c{number}")
        else:
            outer.append(f"{TYPES[kind]} {given}")
            inner.append(outer[-1])
    call = f"call fastcc {signature.llvm} @{function.name}({', '.join(inner)})"
    result = "void" if signature.results else signature.llvm
    if signature.results:
        outer.append("ptr %results")
        lines += [f"%value = {call}", *stored_results(function, signature), "ret void"]
    elif signature.result == "none":
        lines += [call, "ret void"]
    elif signature.result == "bool":
        result = "i64"
        lines += [f"%value = {call}", "%wide = zext i1 %value to i64", "ret i64 %wide"]
    else:
        lines += [f"%value = {call}", f"ret {result} %value"]
    body = "\n".join(f"  {line}" for line in lines)
    return f"\ndefine {result} @call.{function.name}({', '.join(outer)}) nounwind {{\n{body}\n}}\n"


def stored_results(function: CompiledFunction, signature: Signature) -> list[str]:
    """Lines that store the parts of a tuple as words of 64 bits."""
    lines = []
    for number, kind in enumerate(signature.results):
        if TYPES[kind] == "double":
            raise CompiledTextError(f"{function.file}: {function.name} cannot be called from "
                                    f"Python: a tuple with a float")
        lines.append(f"%part{number} = extractvalue {signature.llvm} %value, {number}")
        lines.append(f"%place{number} = getelementptr i64, ptr %results, i64 {number}")
        lines.append(f"store {TYPES[kind]} %part{number}, ptr %place{number}")
    return lines

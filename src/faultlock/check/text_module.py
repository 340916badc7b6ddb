# SPDX-License-Identifier: GPL-2.0-only
"""The LLVM module of compiled functions, translated from their Python source.

What such a function may contain: whole numbers of 64 bits (int), np.uint64 words (Word) and
truth values; NamedTuples of numbers, arrays and NamedTuples; elements of arrays, rows and views
of them (`a[i]`, `a[n:]`, `a.view(np.uint8)`), `len(a)`, `a.shape[i]`, `a.ctypes.data`;
assignments, if, while, for in range() or over an array, break, continue, return; calls of other
such functions and of intrinsics.py; min, max; constants of a module.  int and Word do not mix
but in tests for equality.  Indices are not checked and never negative.  Anything else is a
CompiledTextError that names the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from faultlock.check.intrinsics import DECLARATIONS, intrinsics
from faultlock.check.text_statements import FunctionWriter
from faultlock.check.text_types import TYPES
from faultlock.lang.llvm_module import ARITHMETIC_HELPERS

if TYPE_CHECKING:
    from faultlock.check.compiled import CompiledFunction

HEAD = """
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)

!0 = !{}
!1 = !{!"an array of a NamedTuple"}
"""


def module_text(exports: Sequence[CompiledFunction]) -> str:
    """A module with `call.NAME` for each of these functions, and all that they call.

    Raises CompiledTextError."""
    texts: dict[str, str] = {}
    tables: dict[str, str] = {}
    tags: dict[str, int] = {}
    waiting = list(exports)
    while waiting:
        function = waiting.pop()
        if function.name not in texts:
            writer = FunctionWriter(function, tags, tables)
            texts[function.name] = writer.text()
            waiting += writer.callees
    parts = [HEAD, DECLARATIONS, *ARITHMETIC_HELPERS.values()]
    parts += [each.text for each in intrinsics.values()]
    # Each array has memory of its own: what is written to one leaves the others as they were.
    for name, number in tags.items():
        parts.append(f'!{number} = !{{!"{name}", !1, i64 0}}\n'
                     f"!{number + 1} = !{{!{number}, !{number}, i64 0}}")
    parts += [tables[name] for name in sorted(tables)]
    parts += [texts[name] for name in sorted(texts)]
    parts += [exported(function) for function in exports]
    return "\n".join(parts)


def exported(function: CompiledFunction) -> str:
    """`call.NAME`: the function with C's way of calling; a tuple goes to a last argument."""
    signature = function.signature
    outer, inner, lines = [], [], []
    for number, (_, kind) in enumerate(signature.words):
        given = f"%p{number}"
        outer.append(f"{'ptr' if kind == 'ptr' else 'i64'} {given}")
        if kind == "bool":
            lines.append(f"  %c{number} = icmp ne i64 {given}, 0")
            inner.append(f"i1 %c{number}")
        else:
            inner.append(f"{TYPES.get(kind, 'ptr')} {given}")
    call = f"call fastcc {signature.llvm} @{function.name}({', '.join(inner)})"
    result = "void" if signature.results or signature.result == "none" else "i64"
    if signature.results:
        outer.append("ptr %results")
        lines.append(f"  %value = {call}")
        for number, kind in enumerate(signature.results):
            lines.append(f"  %part{number} = extractvalue {signature.llvm} %value, {number}")
            lines.append(f"  %place{number} = getelementptr i64, ptr %results, i64 {number}")
            lines.append(f"  store {TYPES[kind]} %part{number}, ptr %place{number}")
        lines.append("  ret void")
    elif signature.result == "none":
        lines += [f"  {call}", "  ret void"]
    elif signature.result == "bool":
        lines += [f"  %value = {call}", "  %wide = zext i1 %value to i64", "  ret i64 %wide"]
    else:
        lines += [f"  %value = {call}", "  ret i64 %value"]
    body = "\n".join(lines)
    return f"\ndefine {result} @call.{function.name}({', '.join(outer)}) nounwind {{\n{body}\n}}\n"

# SPDX-License-Identifier: GPL-2.0-only
"""The operands in lines of LLVM IR, and what is said about a line of Python."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from faultlock.lang.llvm_lines import LineWriter
from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import CompiledTextError


@dataclass(frozen=True)
class Value:
    """An operand of LLVM and the kind of what it holds; parts: of a tuple."""

    kind: str
    text: str = ""
    parts: tuple[Value, ...] = ()


class OperandWriter(LineWriter):
    """Writes lines with operands of one kind as another."""

    def __init__(self, function: CompiledFunction) -> None:
        super().__init__()
        self.function = function

    def wrong(self, node: ast.AST, text: str = "") -> CompiledTextError:
        """What to raise about this node."""
        what = text or (f"compiled functions may not contain {ast.unparse(node)!r}, "
                        f"which their compiler does not know")
        return CompiledTextError(f"{self.function.file}:{getattr(node, 'lineno', 0)}: {what}")

    def as_kind(self, value: Value, kind: str, node: ast.AST) -> str:
        """The operand as this kind: a truth value may be a whole number, a whole number a float,
        a literal a word."""
        if value.kind == kind:
            return value.text
        if value.kind == "bool" and kind in ("int", "word"):
            return self.define(f"zext i1 {value.text} to i64")
        if (value.kind, kind) == ("int", "word") and is_literal(value.text):
            return value.text
        if (value.kind, kind) == ("int", "float"):
            return self.define(f"sitofp i64 {value.text} to double")
        noun = "kind" if "word" in (value.kind, kind) else "type"  # to Python a word is an int
        raise self.wrong(node, f"{ast.unparse(node)!r} is of {noun} {value.kind}, not {kind}")


def is_literal(text: str) -> bool:
    """Whether an operand is a whole number."""
    return text.lstrip("-").isdigit()

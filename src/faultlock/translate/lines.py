# SPDX-License-Identifier: GPL-2.0-only
"""Lines of LLVM IR, and the operands in them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import CompiledTextError


@dataclass(frozen=True)
class Value:
    """An operand of LLVM and the kind of what it holds; parts: of a tuple."""

    kind: str
    text: str = ""
    parts: tuple[Value, ...] = ()


class LineWriter:
    """Writes lines and numbers of other kinds."""

    def __init__(self, function: CompiledFunction) -> None:
        self.function = function
        self.head: list[str] = []  # allocas
        self.lines: list[str] = []
        self.count = 0
        self.ended = False  # the block has its end: what follows is never reached

    def wrong(self, node: ast.AST, text: str = "") -> CompiledTextError:
        """What to raise about this node."""
        what = text or (f"compiled functions may not contain {ast.unparse(node)!r}, "
                        f"which their compiler does not know")
        return CompiledTextError(f"{self.function.file}:{getattr(node, 'lineno', 0)}: {what}")

    def emit(self, text: str) -> None:
        """A line that yields nothing, unless it cannot be reached."""
        if not self.ended:
            self.lines.append(f"  {text}")

    def define(self, text: str) -> str:
        """A line that yields a value: its name."""
        self.count += 1
        self.emit(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def label(self) -> str:
        """The name of a block, which `start` begins."""
        self.count += 1
        return f"b{self.count}"

    def start(self, label: str) -> None:
        """Begin a block that branches lead to."""
        self.lines.append(f"{label}:")
        self.ended = False

    def end(self, text: str) -> None:
        """End the block."""
        self.emit(text)
        self.ended = True

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

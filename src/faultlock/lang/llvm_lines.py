# SPDX-License-Identifier: GPL-2.0-only
"""Lines of LLVM IR: the body of one function, whoever writes it."""

from __future__ import annotations


class LineWriter:
    """Writes lines, and blocks that end once: what follows an end is never reached, so it is
    not written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.head: list[str] = []  # allocas: go to the entry block
        self.count = 0
        self.ended = False  # the block has its terminator

    def fresh(self, stem: str = "b") -> str:
        """A fresh name without its %."""
        self.count += 1
        return f"{stem}{self.count}"

    def emit(self, text: str) -> None:
        """A line that yields nothing; dropped when it cannot be reached."""
        if not self.ended:
            self.lines.append("  " + text)

    def define(self, text: str) -> str:
        """A line that yields a value; the operand that names it."""
        self.count += 1
        operand = f"%v{self.count}"
        if not self.ended:
            self.lines.append(f"  {operand} = {text}")
        return operand

    def start(self, label: str) -> None:
        """Begin a block that only branches lead to."""
        self.lines.append(f"{label}:")
        self.ended = False

    def end(self, text: str) -> None:
        """End the block with a terminator."""
        self.emit(text)
        self.ended = True

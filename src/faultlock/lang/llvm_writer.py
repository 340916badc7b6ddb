# SPDX-License-Identifier: GPL-2.0-only
"""LLVM IR text of one function: failures, loads and stores of scalars."""

from __future__ import annotations

import re

from faultlock.lang.llvm_lines import LineWriter
from faultlock.lang.llvm_module import LlvmModule

FAILED_ASSERTION, FAILED_MODEL = 4, 5
NUMBER = re.compile(r"-?\d+\Z")


class TextWriter(LineWriter):
    """Writes the body of one function; `lines` is the result.

    Subclasses say how the function returns when something failed (`return_failure`).
    """

    def __init__(self, module: LlvmModule) -> None:
        super().__init__()
        self.module = module
        self.layout = module.layout
        self.checks = module.checks
        self.lines.append("entry:")
        self.block = "entry"
        self.failures: dict[tuple[int, int], str] = {}  # (status, number) -> block
        self.propagated: list[tuple[str, str]] = []  # (status of a call, block it comes from)
        self.atomic_values: dict[str, str] = {}  # parameters that are never assigned
        self.cells: dict[str, str] = {}  # locals of an atomic function: allocas

    def start(self, label: str) -> None:
        """Begin a block that only branches lead to."""
        super().start(label)
        self.block = label

    def branch(self, test: str, then: str, otherwise: str) -> None:
        """A conditional branch; ends the block."""
        self.end(f"br i1 {test}, label %{then}, label %{otherwise}")

    # ---- failing -------------------------------------------------------------------------------

    def fail_unless(self, test: str, status: int, number: int) -> None:
        """Leave the function with (status, number) when the i1 `test` is false."""
        if test == "true" or self.ended:
            return
        label = self.failures.setdefault((status, number), f"fail{status}_{number}")
        go_on = self.fresh("ok")
        self.end(f"br i1 {test}, label %{go_on}, label %{label}, !prof !1")
        self.start(go_on)

    def write_failures(self) -> None:
        """The blocks that failures lead to, at the end of the function."""
        for (status, number), label in self.failures.items():
            self.start(label)
            self.emit(f"%{label}.out = getelementptr i8, ptr %out, i64 8")
            self.emit(f"store i64 {number}, ptr %{label}.out")
            self.return_failure(str(status))
        if self.propagated:
            self.start("propagate")
            pairs = ", ".join(f"[ {status}, %{block} ]" for status, block in self.propagated)
            self.emit(f"%propagated = phi i32 {pairs}")
            self.return_failure("%propagated")

    def return_failure(self, status: str) -> None:
        """Return from the function with this status (i32 operand)."""
        raise TypeError(f"{type(self).__name__} writes no function that can fail")

    # ---- memory --------------------------------------------------------------------------------

    def address(self, base: str, offset: str) -> str:
        """base + offset bytes."""
        if offset == "0":
            return base
        return self.define(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load_number(self, address: str, width: int, signed: bool) -> str:
        """Load a scalar as i64."""
        bits = 8 * width
        align = self.module.alignment(width)
        value = self.define(f"load i{bits}, ptr {address}, align {align}")
        if bits == 64:
            return value
        return self.define(f"{'sext' if signed else 'zext'} i{bits} {value} to i64")

    def store_number(self, address: str, value: str, width: int) -> None:
        """Store an i64 into a scalar."""
        bits = 8 * width
        align = self.module.alignment(width)
        if NUMBER.match(value):  # LLVM wants constants in the signed range of the type
            half = 1 << bits - 1
            value = str((int(value) + half) % (2 * half) - half)
        elif bits < 64:
            value = self.define(f"trunc i64 {value} to i{bits}")
        self.emit(f"store i{bits} {value}, ptr {address}, align {align}")

# SPDX-License-Identifier: GPL-2.0-only
"""What all functions of one LLVM module share, and the hand-written helpers."""

from __future__ import annotations

from faultlock.lang import program as ir
from faultlock.lang.layout import Layout

RECORD_LIMIT = 1 << 13  # records of one step; more are dropped, and counted in out[DROPPED]
DROPPED = 5
LAST_LABEL = 6  # out[LAST_LABEL]: label of the last step (simulate)
FIRST_RECORD = 8  # out[8..]: records of 4 words
OUT_WORDS = FIRST_RECORD + 4 * RECORD_LIMIT
LOOP_LIMIT = 100_000  # rounds of one While
NO_CHOICE = -(1 << 63)

ARITHMETIC_HELPERS = {
    "floor_divide": """
define internal fastcc i64 @floor_divide(i64 %a, i64 %b) alwaysinline nounwind {
  %zero = icmp eq i64 %b, 0
  br i1 %zero, label %none, label %nonzero
none:
  ret i64 0
nonzero:
  %minus = icmp eq i64 %b, -1
  br i1 %minus, label %negate, label %divide
negate:
  %negated = sub i64 0, %a
  ret i64 %negated
divide:
  %q = sdiv i64 %a, %b
  %r = srem i64 %a, %b
  %inexact = icmp ne i64 %r, 0
  %signs = xor i64 %r, %b
  %opposite = icmp slt i64 %signs, 0
  %lower = and i1 %inexact, %opposite
  %one = zext i1 %lower to i64
  %floor = sub i64 %q, %one
  ret i64 %floor
}
""",
    "modulo": """
define internal fastcc i64 @modulo(i64 %a, i64 %b) alwaysinline nounwind {
  %next = add i64 %b, 1
  %trivial = icmp ult i64 %next, 2
  br i1 %trivial, label %none, label %divide
none:
  ret i64 0
divide:
  %r = srem i64 %a, %b
  %inexact = icmp ne i64 %r, 0
  %signs = xor i64 %r, %b
  %opposite = icmp slt i64 %signs, 0
  %add = and i1 %inexact, %opposite
  %correction = select i1 %add, i64 %b, i64 0
  %m = add i64 %r, %correction
  ret i64 %m
}
""",
    "shift_left": """
define internal fastcc i64 @shift_left(i64 %a, i64 %b) alwaysinline nounwind {
  %valid = icmp ult i64 %b, 64
  %shift = select i1 %valid, i64 %b, i64 0
  %shifted = shl i64 %a, %shift
  %result = select i1 %valid, i64 %shifted, i64 0
  ret i64 %result
}
""",
    "shift_right": """
define internal fastcc i64 @shift_right(i64 %a, i64 %b) alwaysinline nounwind {
  %valid = icmp ult i64 %b, 64
  %shift = select i1 %valid, i64 %b, i64 0
  %shifted = ashr i64 %a, %shift
  %result = select i1 %valid, i64 %shifted, i64 0
  ret i64 %result
}
""",
}

RECORD_HELPERS = f"""
define internal fastcc void @record(
    ptr %out, i64 %event, i64 %a, i64 %b, i64 %c) noinline nounwind {{
  %count = load i64, ptr %out
  %full = icmp uge i64 %count, {RECORD_LIMIT}
  br i1 %full, label %drop, label %write
drop:
  %dropped.p = getelementptr i64, ptr %out, i64 {DROPPED}
  %before = load i64, ptr %dropped.p
  %after = add i64 %before, 1
  store i64 %after, ptr %dropped.p
  br label %done
write:
  %more = add i64 %count, 1
  store i64 %more, ptr %out
  %index = shl i64 %count, 2
  %first = add i64 %index, {FIRST_RECORD}
  %p0 = getelementptr i64, ptr %out, i64 %first
  store i64 %event, ptr %p0
  %p1 = getelementptr i64, ptr %p0, i64 1
  store i64 %a, ptr %p1
  %p2 = getelementptr i64, ptr %p0, i64 2
  store i64 %b, ptr %p2
  %p3 = getelementptr i64, ptr %p0, i64 3
  store i64 %c, ptr %p3
  br label %done
done:
  ret void
}}

define internal fastcc void @wake(ptr %out, i64 %thread, i64 %woken) alwaysinline nounwind {{
  %self = icmp eq i64 %thread, %woken
  br i1 %self, label %done, label %write
write:
  call fastcc void @record(ptr %out, i64 -1, i64 %woken, i64 0, i64 0)
  br label %done
done:
  ret void
}}
"""


class LlvmModule:
    """The program, its layout, and what its functions need of each other."""

    def __init__(self, program: ir.Program, layout: Layout, checks: bool) -> None:
        self.program = program
        self.layout = layout
        self.simulate = layout.simulate
        self.checks = checks
        self.may_fail: set[str] = set()  # atomic functions that return { i64, i32 }
        self.helpers: dict[str, str] = {}

    def alignment(self, width: int) -> int:
        """Alignment that a scalar of this width is sure to have."""
        return min(width, 4) if self.simulate else 1

    def need(self, helper: str) -> None:
        """Add an arithmetic helper to the module."""
        self.helpers[helper] = ARITHMETIC_HELPERS[helper]

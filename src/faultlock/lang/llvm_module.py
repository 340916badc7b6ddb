# SPDX-License-Identifier: GPL-2.0-only
"""What all functions of one LLVM module share, and the hand-written helpers."""

from __future__ import annotations

from faultlock.lang import program as ir
from faultlock.lang.layout import FREE_LEVELS, Layout

RECORD_LIMIT = 1000  # records of one step; more are dropped
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
  br i1 %full, label %done, label %write
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

    def free_map_helpers(self, struct: ir.Struct) -> str:
        """alloc.S(S) -> instance or 0; free.S(S, instance); used.S(S, instance) -> i1."""
        if self.simulate:
            return bitmap_helpers(self, struct)
        return byte_map_helpers(self, struct)

    def zero_instance(self, struct: ir.Struct) -> str:
        """Lines that zero the scalar fields of instance number %number (0-based)."""
        _, stride = self.layout.struct_shape(struct.name)
        if not stride:
            return ""
        if self.simulate:
            word = self.layout.table["struct", struct.name]
            text = f"""  %region.p = getelementptr i64, ptr %S, i64 {word}
  %region = load i64, ptr %region.p, !invariant.load !0
  %pool = getelementptr i8, ptr %S, i64 %region
"""
        else:
            region = self.layout.region("struct", struct.name)
            text = f"  %pool = getelementptr i8, ptr %S, i64 {region}\n"
        align = self.alignment(4)
        return f"""{text}  %bytes = mul i64 %number, {stride}
  %instance.p = getelementptr i8, ptr %pool, i64 %bytes
  call void @llvm.memset.p0.i64(ptr align {align} %instance.p, i8 0, i64 {stride}, i1 false)
"""


def byte_map_helpers(module: LlvmModule, struct: ir.Struct) -> str:
    """Free map of one byte per instance (check mode)."""
    name, count = struct.name, module.layout.count(struct.name)
    region = module.layout.region("free", name, "0")
    return f"""
define internal fastcc i64 @alloc.{name}(ptr %S) noinline nounwind {{
entry:
  %map = getelementptr i8, ptr %S, i64 {region}
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %more ]
  %end = icmp uge i64 %i, {count}
  br i1 %end, label %none, label %look
look:
  %p = getelementptr i8, ptr %map, i64 %i
  %used = load i8, ptr %p
  %next = add i64 %i, 1
  %free = icmp eq i8 %used, 0
  br i1 %free, label %take, label %more
more:
  br label %loop
take:
  store i8 1, ptr %p
  ret i64 %next
none:
  ret i64 0
}}

define internal fastcc void @free.{name}(ptr %S, i64 %reference) noinline nounwind {{
  %number = sub i64 %reference, 1
  %map = getelementptr i8, ptr %S, i64 {region}
  %p = getelementptr i8, ptr %map, i64 %number
  store i8 0, ptr %p
{module.zero_instance(struct)}  ret void
}}

define internal fastcc i1 @used.{name}(ptr %S, i64 %reference) alwaysinline nounwind {{
  %number = sub i64 %reference, 1
  %map = getelementptr i8, ptr %S, i64 {region}
  %p = getelementptr i8, ptr %map, i64 %number
  %byte = load i8, ptr %p
  %used = icmp ne i8 %byte, 0
  ret i1 %used
}}
"""


def word_address(module: LlvmModule, struct: str, level: int, index: str) -> str:
    """Lines that make %p{level} the address of a word of a bitmap level."""
    head = module.layout.table["free", struct, str(level)]
    return f"""  %h{level} = getelementptr i64, ptr %S, i64 {head}
  %o{level} = load i64, ptr %h{level}, !invariant.load !0
  %b{level} = getelementptr i8, ptr %S, i64 %o{level}
  %p{level} = getelementptr i64, ptr %b{level}, i64 {index}
  %w{level} = load i64, ptr %p{level}
"""


def bitmap_helpers(module: LlvmModule, struct: ir.Struct) -> str:
    """Hierarchical bitmap (simulate mode): lowest free instance in FREE_LEVELS loads."""
    name, top = struct.name, FREE_LEVELS - 1
    alloc = f"define internal fastcc i64 @alloc.{name}(ptr %S) noinline nounwind {{\n"
    alloc += word_address(module, name, top, "0")
    alloc += f"  %full = icmp eq i64 %w{top}, -1\n  br i1 %full, label %none, label %level{top}\n"
    alloc += f"none:\n  ret i64 0\nlevel{top}:\n"
    for level in range(top, -1, -1):
        if level != top:
            alloc += word_address(module, name, level, f"%i{level + 1}")
        alloc += f"""  %n{level} = xor i64 %w{level}, -1
  %z{level} = call i64 @llvm.cttz.i64(i64 %n{level}, i1 true)
"""
        above = f"%s{level}" if level != top else "0"
        if level != top:
            alloc += f"  %s{level} = shl i64 %i{level + 1}, 6\n"
        alloc += f"  %i{level} = or i64 {above}, %z{level}\n"
    alloc += "  %instance = add i64 %i0, 1\n  br label %set0\n"
    for level in range(FREE_LEVELS):
        after = f"set{level + 1}" if level != top else "done"
        alloc += f"""set{level}:
  %m{level} = shl i64 1, %z{level}
  %u{level} = or i64 %w{level}, %m{level}
  store i64 %u{level}, ptr %p{level}
  %f{level} = icmp eq i64 %u{level}, -1
  br i1 %f{level}, label %{after}, label %done
"""
    alloc += "done:\n  ret i64 %instance\n}\n"

    free = f"define internal fastcc void @free.{name}(ptr %S, i64 %reference) noinline nounwind "
    free += "{\n"
    free += "  %number = sub i64 %reference, 1\n" + module.zero_instance(struct)
    free += "  br label %clear0\n"
    for level in range(FREE_LEVELS):
        number = "%number" if level == 0 else f"%k{level - 1}"
        after = f"clear{level + 1}" if level != top else "done"
        free += f"""clear{level}:
  %k{level} = lshr i64 {number}, 6
  %z{level} = and i64 {number}, 63
{word_address(module, name, level, f"%k{level}")}  %m{level} = shl i64 1, %z{level}
  %c{level} = xor i64 %m{level}, -1
  %u{level} = and i64 %w{level}, %c{level}
  store i64 %u{level}, ptr %p{level}
  %f{level} = icmp eq i64 %w{level}, -1
  br i1 %f{level}, label %{after}, label %done
"""
    free += "done:\n  ret void\n}\n"

    used = f"""define internal fastcc i1 @used.{name}(
    ptr %S, i64 %reference) alwaysinline nounwind {{
  %number = sub i64 %reference, 1
  %k0 = lshr i64 %number, 6
  %z0 = and i64 %number, 63
{word_address(module, name, 0, "%k0")}  %bit = lshr i64 %w0, %z0
  %used = trunc i64 %bit to i1
  ret i1 %used
}}
"""
    return "\n" + alloc + "\n" + free + "\n" + used

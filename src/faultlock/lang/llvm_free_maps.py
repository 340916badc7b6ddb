# SPDX-License-Identifier: GPL-2.0-only
"""LLVM helpers of alloc() and free(), for each struct that is allocated.

alloc.S(S) -> lowest free instance or 0;  free.S(S, instance);  used.S(S, instance) -> i1
"""

from __future__ import annotations

from faultlock.lang import program as ir
from faultlock.lang.layout import FREE_LEVELS
from faultlock.lang.llvm_module import LlvmModule

TOP = FREE_LEVELS - 1


def free_map_helpers(module: LlvmModule, struct: ir.Struct) -> str:
    """The three functions of one struct."""
    if not module.simulate:
        return byte_map_helpers(module, struct)
    parts = (bitmap_alloc, bitmap_free, bitmap_used)
    return "\n".join(part(module, struct) for part in parts)


def zero_instance(module: LlvmModule, struct: ir.Struct) -> str:
    """Lines that zero the scalar fields of instance number %number (0-based)."""
    _, stride = module.layout.struct_shape(struct.name)
    if not stride:
        return ""
    if module.simulate:
        word = module.layout.table["struct", struct.name]
        text = f"""  %region.p = getelementptr i64, ptr %S, i64 {word}
  %region = load i64, ptr %region.p, !invariant.load !0
  %pool = getelementptr i8, ptr %S, i64 %region
"""
    else:
        region = module.layout.region("struct", struct.name)
        text = f"  %pool = getelementptr i8, ptr %S, i64 {region}\n"
    align = module.alignment(4)
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
{zero_instance(module, struct)}  ret void
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


def bitmap_alloc(module: LlvmModule, struct: ir.Struct) -> str:
    """Down the levels to the lowest free bit; up again to mark the words that became full."""
    name, top = struct.name, TOP
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
    return alloc


def bitmap_free(module: LlvmModule, struct: ir.Struct) -> str:
    """Clear the bit, and those above it as long as their word was full."""
    name, top = struct.name, TOP
    free = f"define internal fastcc void @free.{name}(ptr %S, i64 %reference) noinline nounwind "
    free += "{\n"
    free += "  %number = sub i64 %reference, 1\n" + zero_instance(module, struct)
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
    return free


def bitmap_used(module: LlvmModule, struct: ir.Struct) -> str:
    """The bit of level 0."""
    name = struct.name
    return f"""define internal fastcc i1 @used.{name}(
    ptr %S, i64 %reference) alwaysinline nounwind {{
  %number = sub i64 %reference, 1
  %k0 = lshr i64 %number, 6
  %z0 = and i64 %number, 63
{word_address(module, name, 0, "%k0")}  %bit = lshr i64 %w0, %z0
  %used = trunc i64 %bit to i1
  ret i1 %used
}}
"""

# SPDX-License-Identifier: GPL-2.0-only
"""A Program as the text of one LLVM module.

One LLVM function per step and a table of them: compile time grows with the number of steps, and
a step costs one indirect call.  Atomic functions are LLVM functions; LLVM inlines them.  The
exported functions are `step`, `run` and `call.NAME` for each atomic function (lang/native.py
says what they take and return).
"""

from __future__ import annotations

from faultlock.lang import program as ir
from faultlock.lang.layout import Layout
from faultlock.lang.llvm_free_maps import free_map_helpers
from faultlock.lang.llvm_module import (
    LAST_LABEL,
    NO_CHOICE,
    RECORD_HELPERS,
    RECORD_LIMIT,
    LlvmModule,
)
from faultlock.lang.llvm_statements import STEP_ARGUMENTS, AtomicWriter, StepWriter
from faultlock.lang.traverse import atomic_callees

DECLARATIONS = """
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.cttz.i64(i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

!0 = !{}
!1 = !{!"branch_weights", i32 2000, i32 1}
!2 = !{!"branch_weights", i32 1, i32 2000}
"""


def llvm_text(program: ir.Program, layout: Layout, checks: bool) -> str:
    """The module that executes `program` on states of `layout`.

    checks: report null dereference, range, index and endless loop as code 5; without them such
    an error goes unnoticed and may write anywhere in memory.
    """
    module = LlvmModule(program, layout, checks)
    atomics = [program.atomics[name] for name in callees_first(program)]
    functions = [AtomicWriter(module, each).text() for each in atomics]
    functions += [StepWriter(module, step).text() for step in program.steps]
    exports = [exported_call(module, function) for function in program.atomics.values()]
    maps = [free_map_helpers(module, s) for s in program.structs.values() if s.allocated]
    parts = [
        DECLARATIONS,
        RECORD_HELPERS if module.simulate else "",
        *module.helpers.values(),
        *maps,
        return_site_tables(program),
        frame_table(layout),
        *functions,
        step_table(program),
        exported_step(module),
        exported_run(module),
        *exports,
    ]
    return "\n".join(parts)


def callees_first(program: ir.Program) -> list[str]:
    """Atomic functions, each after the ones it calls (there is no recursion)."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for callee in atomic_callees(program.atomics[name].body):
                visit(callee)
            order[name] = None

    for name in program.atomics:
        visit(name)
    return list(order)


def return_site_tables(program: ir.Program) -> str:
    """Labels by return site; site 0 does not occur in a run and leads to the end."""
    text = ""
    for name, labels in program.return_sites.items():
        items = ", ".join(f"i32 {label}" for label in [0, *labels])
        text += f"@return_sites.{name} = private constant [{len(labels) + 1} x i32] [{items}]\n"
    return text


def step_table(program: ir.Program) -> str:
    """The steps by label; label 0 (finished) is handled before."""
    items = ", ".join(["ptr null", *(f"ptr @step.{step.label}" for step in program.steps)])
    return f"@steps = private constant [{len(program.steps) + 1} x ptr] [{items}]\n"


def frame_table(layout: Layout) -> str:
    """Check mode: byte offset of each thread's frame (frames differ in size)."""
    if layout.simulate:
        return ""
    items = ", ".join(f"i64 {base}" for base in [0, *layout.frame_bases])
    return f"@frames = private constant [{len(layout.frame_bases) + 1} x i64] [{items}]\n"


def locate_thread(layout: Layout) -> str:
    """Lines that make %thread (i64), %pc and %frame from %thread32."""
    text = f"""  %thread = zext i32 %thread32 to i64
  %pc.base = getelementptr i8, ptr %S, i64 {layout.pc_base - layout.pc_width}
  %pc.offset = mul i64 %thread, {layout.pc_width}
  %pc = getelementptr i8, ptr %pc.base, i64 %pc.offset
"""
    if layout.simulate:
        word = 8 * layout.table[("frames",)]
        return (
            text
            + f"""  %frames.p = getelementptr i8, ptr %S, i64 {word}
  %frames = load i64, ptr %frames.p, !invariant.load !0
  %number = sub i64 %thread, 1
  %frame.rest = mul i64 %number, {layout.frame_stride}
  %frame.offset = add i64 %frames, %frame.rest
  %frame = getelementptr i8, ptr %S, i64 %frame.offset
"""
        )
    return (
        text
        + """  %frame.p = getelementptr i64, ptr @frames, i64 %thread
  %frame.offset = load i64, ptr %frame.p, !invariant.load !0
  %frame = getelementptr i8, ptr %S, i64 %frame.offset
"""
    )


def find_step(module: LlvmModule) -> tuple[str, str]:
    """Lines that make %label and %ended from %pc, and lines that make %step from %label."""
    bits, align = 8 * module.layout.pc_width, module.alignment(module.layout.pc_width)
    look = f"""  %label.small = load i{bits}, ptr %pc, align {align}
  %label = zext i{bits} %label.small to i64
  %ended = icmp eq i64 %label, 0
"""
    find = """  %step.p = getelementptr ptr, ptr @steps, i64 %label
  %step = load ptr, ptr %step.p, !invariant.load !0
"""
    return look, find


def last_label(module: LlvmModule, block: str) -> str:
    """Lines of `block` that tell which step it was; the checker knows it."""
    if not module.simulate:
        return ""
    return f"""  %last.{block} = getelementptr i64, ptr %out, i64 {LAST_LABEL}
  store i64 %label, ptr %last.{block}
"""


def exported_step(module: LlvmModule) -> str:
    """`step`."""
    look, find = find_step(module)
    types = STEP_ARGUMENTS.replace("noalias ", "")
    return f"""
define i32 @step(ptr %S, i32 %thread32, i64 %choice, ptr %out) nounwind {{
{locate_thread(module.layout)}{look}  br i1 %ended, label %finished, label %go
finished:
  ret i32 3
go:
{find}{last_label(module, "go")}  %code = tail call fastcc i32 %step({types})
  ret i32 %code
}}
"""


def exported_run(module: LlvmModule) -> str:
    """`run`."""
    look, find = find_step(module)
    types = STEP_ARGUMENTS.replace("noalias ", "").replace("i64 %choice", f"i64 {NO_CHOICE}")
    return f"""
define i32 @run(ptr %S, i32 %thread32, ptr %out, i64 %fuel) nounwind {{
entry:
{locate_thread(module.layout)}  %count.p = getelementptr i64, ptr %out, i64 4
  %none = icmp sle i64 %fuel, 0
  br i1 %none, label %empty, label %loop
empty:
  store i64 0, ptr %count.p
  ret i32 1
loop:
  %count = phi i64 [ 0, %entry ], [ %more, %next ]
{look}  br i1 %ended, label %finished, label %go
finished:
  store i64 %count, ptr %count.p
  ret i32 3
go:
{find}  %code = call fastcc i32 %step({types})
  %more = add i64 %count, 1
  %ran = icmp eq i32 %code, 1
  br i1 %ran, label %stepped, label %other
stepped:
  %records = load i64, ptr %out
  %quiet = icmp eq i64 %records, 0
  %left = icmp slt i64 %more, %fuel
  %on = and i1 %quiet, %left
  br i1 %on, label %next, label %stop
next:
  br label %loop
stop:
{last_label(module, "stop")}  store i64 %more, ptr %count.p
  ret i32 1
other:
{last_label(module, "other")}  %timed = icmp uge i32 %code, 6
  %total = select i1 %timed, i64 %more, i64 %count
  store i64 %total, ptr %count.p
  ret i32 %code
}}
"""


def exported_call(module: LlvmModule, function: ir.AtomicFunction) -> str:
    """`call.NAME`: the value; a failure is INT64_MIN + 8 * number + code.  Records are dropped."""
    name = function.name
    arguments = "".join(f", i64 %arg{i}" for i in range(len(function.parameters)))
    text = f"""
define i64 @call.{name}(ptr %S, i32 %thread32{arguments}) nounwind {{
  %thread = zext i32 %thread32 to i64
  %out = alloca [8 x i64]
  store i64 {RECORD_LIMIT}, ptr %out
"""
    passed = f"@atomic.{name}(ptr %S, ptr %out, i64 %thread{arguments})"
    if name not in module.may_fail:
        return text + f"  %value = call fastcc i64 {passed}\n  ret i64 %value\n}}\n"
    return (
        text
        + f"""  %result = call fastcc {{ i64, i32 }} {passed}
  %value = extractvalue {{ i64, i32 }} %result, 0
  %status = extractvalue {{ i64, i32 }} %result, 1
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %failure, label %success
success:
  ret i64 %value
failure:
  %number.p = getelementptr i64, ptr %out, i64 1
  %number = load i64, ptr %number.p
  %scaled = shl i64 %number, 3
  %wide = zext i32 %status to i64
  %both = or i64 %scaled, %wide
  %code = or i64 %both, {NO_CHOICE}
  ret i64 %code
}}
"""
    )

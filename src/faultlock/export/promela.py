# SPDX-License-Identifier: GPL-2.0-only
"""A scenario as Promela for Spin: an independent search of exactly the same state graph.

The state vector is our state, byte for byte (`byte S[]`: pcs, frames, structs).  Each thread
is one process with a single location; each of its steps is one d_step.  What a step does is
C text printed from the Program by export/c_text.py, embedded in the Promela text.

Counting: Spin stores one state more than `faultlock check --no-fusion --no-partial-order`,
the one before `init` has made the first state (compile with -DNOREDUCE).
Verdicts: -DPROPERTIES makes pan check every `always` property, assertion and deadlock
(its value is an expression, so that one pan can do both).

    spin -a model.pml && gcc -O3 -fwrapv -DNOREDUCE -DVECTORSZ=4096 -o pan pan.c
    ./pan -m1000000 -E
"""

from __future__ import annotations

import re

from faultlock.errors import FaultlockError
from faultlock.export.c_text import HELPERS, CPrinter, width_code
from faultlock.lang import program as ir
from faultlock.lang.layout import Layout

MAX_CHOICES = 64
MAX_BLOCK = 50_000  # characters of a c_code block; Spin allows 65,536
EXTRA_STATES = 1  # the state before init has run


def promela(program: ir.Program, layout: Layout | None = None) -> str:
    """The Promela text of a scenario.

    Raises FaultlockError when a choose() has too many alternatives."""
    layout = layout or Layout(program, mode="check")
    printer = CPrinter(program, layout)
    threads = len(program.threads)
    choices = most_choices(program, printer)
    options = "\n".join(
        f"    :: d_step {{ c_expr {{ CAN_{k} }} -> "
        f"c_code {{ take(PTask->t, {k}); }}; c_code [ bad == 0 ] {{ ; }} }}"
        for k in range(choices)
    )
    # Spin wants no call inside c_expr, so the calls stand in macros.
    macros = "\n".join(f"#define CAN_{k} can(PTask->t, {k})" for k in range(choices))
    runs = "; ".join(f"run Task({thread})" for thread in range(1, threads + 1))
    return f"""/* SPDX-License-Identifier: GPL-2.0-only */
/* {program.name}: written by faultlock export promela */
byte S[{layout.size}];

{blocks([*c_parts(program, layout, printer), macros])}

proctype Task(byte t) {{
end:
    do
{options}
    od
}}

init {{
    atomic {{ c_code {{ boot(); }}; {runs} }}
}}
"""


def most_choices(program: ir.Program, printer: CPrinter) -> int:
    """The largest number of alternatives of any step, at least 1."""
    most = 1
    for step in program.steps:
        if step.kind == ir.CHOOSE:
            most = max(most, _alternatives(program, step, printer))
    if most > MAX_CHOICES:
        raise FaultlockError(f"{program.name}: a choose() has {most} alternatives; Promela text "
                             f"is written for at most {MAX_CHOICES}")
    return most


def _alternatives(program: ir.Program, step: ir.Step, printer: CPrinter) -> int:
    assert step.low is not None and step.high is not None and step.target is not None
    if isinstance(step.low, ir.Const) and isinstance(step.high, ir.Const):
        return step.high.value - step.low.value
    kind = program.functions[step.target.function].locals[step.target.name]
    if isinstance(kind, ir.RefType):
        return printer.layout.count(kind.struct)
    bounds = printer.bounds(kind)
    return MAX_CHOICES if bounds is None else min(bounds[1] - bounds[0] + 1, MAX_CHOICES)


def blocks(parts: list[str]) -> str:
    """C text in c_code blocks that are short enough for Spin."""
    made: list[list[str]] = [[]]
    length = 0
    for part in parts:
        if length + len(part) > MAX_BLOCK and made[-1]:
            made.append([])
            length = 0
        made[-1].append(part)
        length += len(part) + 1
    text = "\n".join("c_code {\n" + "\n".join(block) + "\n}" for block in made)
    return re.sub(r"^#", r"\\#", text, flags=re.MULTILINE)  # for gcc, not for Spin's preprocessor


def c_parts(program: ir.Program, layout: Layout, printer: CPrinter) -> list[str]:
    """All C functions, in order."""
    frames = ", ".join(str(base) for base in [0, *layout.frame_bases])
    parts = [HELPERS, f"static const long frame[] = {{ {frames} }};", _pc_function(layout)]
    for name, sites in program.return_sites.items():
        listed = ", ".join(str(site) for site in [0, *sites])
        parts.append(f"static const long sites_{name}[] = {{ {listed} }};")
    parts += [printer.free_function(struct.name) for struct in program.structs.values()
              if struct.allocated]
    parts += [printer.atomic_head(item) + ";" for item in program.atomics.values()]
    parts += [printer.atomic(item) for item in program.atomics.values()]
    parts += [_can(step, printer) for step in program.steps]
    parts += [_step(step, printer) for step in program.steps]
    labels = ", ".join(str(step.label) for step in program.steps).split(", ")
    parts.append("static int (*const can_do[])(long, long) = { 0, "
                 + ", ".join(f"c_{label}" for label in labels) + " };")
    parts.append("static void (*const steps[])(long, long) = { 0, "
                 + ", ".join(f"s_{label}" for label in labels) + " };")
    return [*parts, TAKE, _check(program), _boot(program)]


def _pc_function(layout: Layout) -> str:
    code = width_code(layout.pc_width, True)
    base = layout.pc_offset(1)
    return (f"#define PC(t) ld({base} + ((t) - 1) * {layout.pc_width}, {code})\n"
            f"static void pc(long t, long label) {{ "
            f"st({base} + (t - 1) * {layout.pc_width}, {code}, label); }}\n"
            "static void check(void);")


def _can(step: ir.Step, printer: CPrinter) -> str:
    head = f"static int c_{step.label}(long cur, long k)"
    if step.kind == ir.WAIT:
        assert step.guard is not None
        killed = ""
        if step.killable:
            pending = ir.LoadField("Thread", "fatal_signal_pending", ir.Current(), None, 0)
            killed = f" || {printer.text(pending)}"
        return f"{head} {{ return k == 0 && ({printer.text(step.guard)}{killed}); }}"
    if step.kind == ir.CHOOSE:
        return f"{head} {{ {_can_choose(step, printer)} }}"
    return f"{head} {{ return k == 0; }}"


def _can_choose(step: ir.Step, printer: CPrinter) -> str:
    assert step.low is not None and step.high is not None and step.target is not None
    low, high = printer.text(step.low), printer.text(step.high)
    line = f"if ({low} + k >= {high}) return 0;"
    if step.guard is None:
        return f"{line} return 1;"
    old = printer.text(step.target)
    chosen = printer.set_local(step.target, f"{low} + k", 0)
    restored = printer.set_local(step.target, "o_", 0)
    return (f"{line} long o_ = {old}, y_; {chosen} y_ = {printer.text(step.guard)}; "
            f"{restored} return y_ != 0;")


def _step(step: ir.Step, printer: CPrinter) -> str:
    chosen = ""
    if step.kind == ir.CHOOSE:
        assert step.low is not None and step.target is not None
        chosen = printer.set_local(step.target, f"{printer.text(step.low)} + k", 0) + " "
    place = f"/* {step.function} {step.file}:{step.line} */"
    return (f"static void s_{step.label}(long cur, long k) {place}\n"
            f"{{ {chosen}{printer.body(step.body)} }}")


TAKE = """#ifndef PROPERTIES
#define PROPERTIES 0
#endif
static int can(long cur, long k) { long label = PC(cur);
    return label != 0 && can_do[label](cur, k); }
static void take(long cur, long k) { bad = 0;
    if (!setjmp(out_of_step)) { steps[PC(cur)](cur, k); if (PROPERTIES) check(); }
    if (!PROPERTIES) bad = 0; }"""


def _check(program: ir.Program) -> str:
    lines = ["static void check(void) { int running = 0, enabled = 0;"]
    for number, item in enumerate(program.properties, start=1):
        if item.kind == "always":
            lines.append(f"    if (a_{item.function}(0) != 1) fail(2, {number});")
    for thread, entry in enumerate(program.threads, start=1):
        if not entry.daemon:
            lines.append(f"    running |= PC({thread}) != 0;")
        lines.append(f"    for (long k = 0; k < {MAX_CHOICES} && !enabled; k++) "
                     f"enabled |= can({thread}, k);")
    return "\n".join([*lines, "    if (running && !enabled) fail(1, 0);", "}"])


def _boot(program: ir.Program) -> str:
    lines = ["static void boot(void) {"]
    lines += [f"    pc({thread}, {entry.entry});"
              for thread, entry in enumerate(program.threads, start=1)]
    if program.setup is not None:
        lines.append(f"    if (!setjmp(out_of_step)) a_{program.setup}(1);")
    return "\n".join([*lines, "}"])

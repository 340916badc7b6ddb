# SPDX-License-Identifier: GPL-2.0-only
"""Which threads of a program are interchangeable, and where a state refers to them.

Threads with the same entry function are interchangeable when no code depends on the number of
a thread: no order of thread references, no arithmetic with them, and every loop over all
threads gives the same result in any order (it adds up, or it returns one constant).  The setup
function is free to depend on numbers: what it makes of the threads is part of the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultlock.check.permute import Symmetry
from faultlock.lang import program as ir
from faultlock.lang.layout import RETURN_SITE, Layout
from faultlock.lang.traverse import expressions_in, locals_of_step, statements, step_expressions

THREAD = "Thread"
COMMUTATIVE = ("+", "|", "&", "^", "min", "max")
NUMBERS_ONLY = ("-", "*", "//", "%", "<<", ">>", "<", "<=", ">", ">=", *COMMUTATIVE)


@dataclass(frozen=True)
class Group:
    """Threads that are interchangeable, or why threads of one entry are not."""

    members: tuple[int, ...]
    reason: str = ""


def thread_groups(program: ir.Program) -> list[Group]:
    """Threads of one entry function, at least two each; with a reason: not interchangeable."""
    entries: dict[tuple[str, bool], list[int]] = {}
    for number, thread in enumerate(program.threads, start=1):
        entries.setdefault((thread.function, thread.daemon), []).append(number)
    groups = [members for members in entries.values() if len(members) > 1]
    reason = _dependence(program) if groups else ""
    return [Group(tuple(members), reason) for members in groups]


# ---- does any code depend on thread numbers? -----------------------------------------------------


def _dependence(program: ir.Program) -> str:
    """Which function depends on the number of a thread; "": none."""
    thread = program.structs[THREAD]
    if any(field.own or field.length is not None for field in thread.fields.values()):
        return "struct Thread has arrays"
    for step in program.steps:
        types = program.functions[step.function].locals
        if step.kind == ir.CHOOSE and step.target is not None and _is_thread(
            program, step.target, types
        ):
            return f"{step.function} chooses a thread"
        if not _is_free_of_numbers(program, step.body, [*step_expressions(step)], types):
            return f"{step.function} depends on the number of a thread"
    for name in _reached(program):
        function = program.atomics[name]
        heads = expressions_in(function.body)
        if not _is_free_of_numbers(program, function.body, heads, function.locals):
            return f"{name} depends on the number of a thread"
    return ""


def _reached(program: ir.Program) -> list[str]:
    """Atomic functions that steps and properties call."""
    waiting = [item.function for item in program.properties]
    for step in program.steps:
        for item in (*step_expressions(step), *expressions_in(step.body)):
            if isinstance(item, ir.AtomicCall):
                waiting.append(item.function)
    found: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += [item.function for item in expressions_in(program.atomics[name].body)
                        if isinstance(item, ir.AtomicCall)]
    return list(found)


def _is_thread(program: ir.Program, value: ir.Expr | None, types: dict[str, ir.Type]) -> bool:
    """Is this a reference to a thread?"""
    kind: ir.Type | None = None
    if isinstance(value, ir.Local):
        kind = types.get(value.name)
    elif isinstance(value, ir.LoadField):
        kind = program.structs[value.struct].fields[value.field].type
    elif isinstance(value, ir.AtomicCall):
        kind = program.atomics[value.function].returns
    return isinstance(value, ir.Current) or (isinstance(kind, ir.RefType) and kind.struct == THREAD)


def _is_free_of_numbers(program: ir.Program, body: Iterable[ir.Stmt], heads: Iterable[ir.Expr],
                        types: dict[str, ir.Type]) -> bool:
    body = list(body)
    loops = [item for item in statements(body) if isinstance(item, ir.While)
             and _loop_variable(program, item, types)]
    steps_of_loops = set()
    for loop in loops:
        if not _any_order(program, loop, body, types):
            return False
        steps_of_loops |= {id(item) for item in expressions_in([loop]) if _is_next(item)}
    for item in (*heads, *expressions_in(body)):
        if isinstance(item, ir.Binary) and item.operator in NUMBERS_ONLY:
            operands = (item.left, item.right)
            mine = any(_is_thread(program, operand, types) for operand in operands)
            if mine and id(item) not in steps_of_loops:
                return False
    return True


def _is_next(item: ir.Expr) -> bool:
    """`variable + 1`, or the test `variable + 1 < end` of a loop over a pool."""
    if isinstance(item, ir.Binary) and item.operator == "<":
        return isinstance(item.left, ir.Binary) and _is_next(item.left)
    return (isinstance(item, ir.Binary) and item.operator == "+"
            and isinstance(item.left, ir.Local) and item.right == ir.Const(1))


def _loop_variable(program: ir.Program, loop: ir.While, types: dict[str, ir.Type]) -> str:
    """The variable of a loop over all threads; "" for another loop."""
    for statement in loop.body:
        if isinstance(statement, ir.SetLocal) and _is_thread(program, statement.target, types):
            value = statement.value
            if _is_next(value) and isinstance(value, ir.Binary) and value.left == statement.target:
                return statement.target.name
    return ""


def _any_order(program: ir.Program, loop: ir.While, body: list[ir.Stmt],
               types: dict[str, ir.Type]) -> bool:
    """Does a loop over all threads give the same result in any order?"""
    inside = list(statements(loop.body))
    allowed = (ir.SetLocal, ir.If, ir.While, ir.Return, ir.Evaluate, ir.Continue, ir.Assert)
    if not all(isinstance(item, allowed) for item in inside):
        return False
    returned = {item.value for item in inside if isinstance(item, ir.Return)}
    if len(returned) > 1 or not all(isinstance(value, ir.Const) for value in returned):
        return False
    if any(_writes(program, item.function) for item in expressions_in(loop.body)
           if isinstance(item, ir.AtomicCall)):
        return False
    after = _read_outside(loop, body)
    constants: dict[str, set[ir.Expr]] = {}
    for item in inside:
        if not isinstance(item, ir.SetLocal) or item.target.name not in after:
            continue
        value = item.value
        if isinstance(value, ir.Const):
            constants.setdefault(item.target.name, set()).add(value)
        elif not _adds_up(item):
            return False
    return all(len(values) == 1 for values in constants.values())


def _adds_up(item: ir.SetLocal) -> bool:
    value = item.value
    return (isinstance(value, ir.Binary) and value.operator in COMMUTATIVE
            and item.target in (value.left, value.right))


def _read_outside(loop: ir.While, body: list[ir.Stmt]) -> set[str]:
    """Locals that are read outside of a loop."""
    within = {id(item) for item in expressions_in([loop])}
    return {item.name for item in expressions_in(body)
            if isinstance(item, ir.Local) and id(item) not in within}


def _writes(program: ir.Program, name: str) -> bool:
    """Does an atomic function, or one that it calls, change the state?"""
    body = program.atomics[name].body
    if any(isinstance(item, ir.SetField | ir.Alloc | ir.Free) for item in statements(body)):
        return True
    return any(_writes(program, item.function) for item in expressions_in(body)
               if isinstance(item, ir.AtomicCall))


# ---- where a state refers to threads -------------------------------------------------------------


def symmetry_of(program: ir.Program, layout: Layout, on: bool = True) -> Symmetry:
    """The tables for permute.canonical; without groups when switched off or unsound."""
    groups = [group.members for group in thread_groups(program) if not group.reason] if on else []
    if not groups or layout.thread_count > 250:
        return no_symmetry()
    slots = _frame_slots(program, layout)
    functions = list(program.functions)
    sites = [list(program.return_sites.get(name, [])) for name in functions]
    return Symmetry(
        np.array([len(group) for group in groups], np.int64),
        _table([list(group) for group in groups]),
        _blocks(program, layout),
        np.array(list(_field_slots(program, layout)), np.int64),
        np.array([0, *layout.frame_bases], np.int64),
        _table([[], *(slots[step.label] for step in program.steps)]),
        np.array([0, *(len(slots[step.label]) for step in program.steps)], np.int64),
        np.array([-1, *(functions.index(step.function) for step in program.steps)], np.int64),
        np.array([_return_site(program, layout, name) for name in functions], np.int64),
        _table(sites),
    )


def no_symmetry() -> Symmetry:
    """Tables that permute nothing."""
    empty, table = np.zeros(1, np.int64), np.zeros((1, 1), np.int64)
    return Symmetry(np.zeros(0, np.int64), table, np.zeros((1, 1, 2), np.int64), empty, empty,
                    table, empty, empty, np.zeros((1, 2), np.int64), table)


def _table(rows: list[list[int]]) -> Any:
    found = np.zeros((len(rows), max([len(row) for row in rows] + [1])), np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found


def _blocks(program: ir.Program, layout: Layout) -> Any:
    """i64 [T + 1, 3, 2]: (offset, bytes) of a thread's pc, frame and struct."""
    count = layout.thread_count
    _, stride = layout.struct_shape(THREAD)
    ends = [*layout.frame_bases[1:], layout.region("struct", next(iter(program.structs)))]
    blocks = np.zeros((count + 1, 3, 2), np.int64)
    for thread in range(1, count + 1):
        base = layout.frame_bases[thread - 1]
        blocks[thread] = [
            (layout.pc_offset(thread), layout.pc_width),
            (base, ends[thread - 1] - base),
            (layout.region("struct", THREAD) + (thread - 1) * stride, stride),
        ]
    return blocks


def _field_slots(program: ir.Program, layout: Layout) -> Iterator[int]:
    """Byte offsets of all fields that refer to threads."""
    for variable in layout.variables():
        if variable.key[0] == "field" and variable.kind == THREAD:
            assert variable.place.width == 1
            yield variable.place.offset


def _frame_slots(program: ir.Program, layout: Layout) -> dict[int, list[int]]:
    """Label -> offsets in the frame of locals that refer to threads, of the function the label
    is in and those its step names (parameters, results)."""
    found = {}
    for step in program.steps:
        pairs = dict.fromkeys(locals_of_step(step))
        pairs |= dict.fromkeys((step.function, name)
                               for name in program.functions[step.function].locals)
        places = [layout.local_place(function, name) for function, name in pairs
                  if _is_reference(program.functions[function].locals[name])]
        found[step.label] = [place.offset for place in places]
    return found


def _is_reference(kind: ir.Type) -> bool:
    return isinstance(kind, ir.RefType) and kind.struct == THREAD


def _return_site(program: ir.Program, layout: Layout, function: str) -> tuple[int, int]:
    """(offset in the frame, bytes) of a function's return site; (-1, 0): it has none."""
    if RETURN_SITE not in program.functions[function].locals:
        return -1, 0
    place = layout.local_place(function, RETURN_SITE)
    return place.offset, place.width

# SPDX-License-Identifier: GPL-2.0-only
"""Dropping state that a scenario's program never touches (checker only).

A field that no reachable step, atomic function or property reads or writes is always 0; without
it every stored state is smaller.  A struct that keeps no field has no instances.
"""

from __future__ import annotations

from dataclasses import replace

from faultlock.lang.ir import Alloc, Const, Free, LoadField, OwnRef, RefType, SetField
from faultlock.lang.program import Program
from faultlock.lang.traverse import expressions_in, statements, step_expressions

ALWAYS = {("Thread", "fatal_signal_pending")}


def prune_state(program: Program) -> None:
    """Remove untouched fields, and the instances of structs that nothing touches."""
    touched, structs = _touched(program)
    kept = {
        name: {
            field: declared
            for field, declared in struct.fields.items()
            if declared.own or (name, field) in touched
        }
        for name, struct in program.structs.items()
    }
    for fields in kept.values():  # what a stored reference may name keeps its range
        structs |= {item.type.struct for item in fields.values() if isinstance(item.type, RefType)}
    pruned: set[tuple[str, str]] = set()
    for name, struct in program.structs.items():
        pruned |= {(name, field) for field in struct.fields if field not in kept[name]}
        count = struct.count if name in structs else Const(0)
        program.structs[name] = replace(struct, fields=kept[name], count=count)
    program.pruned = frozenset(pruned)


def _touched(program: Program) -> tuple[set[tuple[str, str]], set[str]]:
    touched, structs = set(ALWAYS), {"Thread"}
    bodies = [step.body for step in program.steps]
    bodies += [atomic.body for atomic in program.atomics.values()]
    heads = [list(step_expressions(step)) for step in program.steps]
    heads += [list(expressions_in(body)) for body in bodies]
    for head in heads:
        for part in head:
            if isinstance(part, LoadField):
                touched.add((part.struct, part.field))
                structs.add(part.struct)
            elif isinstance(part, OwnRef):
                structs |= {part.struct, part.target}
    for body in bodies:
        for statement in statements(body):
            if isinstance(statement, SetField):
                touched.add((statement.struct, statement.field))
                structs.add(statement.struct)
            elif isinstance(statement, Alloc | Free):
                structs.add(statement.struct)
    return touched, structs

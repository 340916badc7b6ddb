# SPDX-License-Identifier: GPL-2.0-only
"""What each step reads and writes, and which steps no other thread can see.

A step is local when it is always enabled, touches nothing but its thread's frame, Const
fields and Private fields that no property reads, and does not close a cycle of local steps
(so that running local steps first can never postpone the other threads for ever).
"""

from __future__ import annotations

from collections.abc import Iterable

from faultlock.lang.program import (
    PLAIN,
    Alloc,
    Assert,
    AtomicCall,
    Current,
    Emit,
    Expr,
    Finish,
    Free,
    LoadField,
    Program,
    ReturnJump,
    SetField,
    Step,
    Stmt,
)
from faultlock.lang.traverse import expressions_in, statements, step_expressions
from faultlock.lang.visit import jump_targets

Access = tuple[str, str, bool]
Footprint = tuple[frozenset[Access], frozenset[Access]]
POOL = "(pool)"


def mark_footprints(program: Program) -> None:
    """Fill reads, writes and is_local of every step."""
    atomics = _AtomicFootprints(program)
    seen_by_properties = _property_reads(program, atomics)
    for step in program.steps:
        step.reads, step.writes = _step_footprint(program, step, atomics)
        step.is_local = _is_local(program, step, seen_by_properties)
    _break_local_cycles(program)


class _AtomicFootprints:
    """Footprints of atomic functions, callees included (they do not recurse)."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.found: dict[str, Footprint] = {}

    def of(self, name: str) -> Footprint:
        if name not in self.found:
            self.found[name] = (frozenset(), frozenset())
            body = self.program.atomics[name].body
            self.found[name] = self.collect(expressions_in(body), statements(body))
        return self.found[name]

    def collect(self, heads: Iterable[Expr], body: Iterable[Stmt]) -> Footprint:
        reads: set[Access] = set()
        writes: set[Access] = set()
        for part in heads:
            if isinstance(part, LoadField):
                reads.add((part.struct, part.field, isinstance(part.reference, Current)))
            elif isinstance(part, AtomicCall):
                inner = self.of(part.function)
                reads |= inner[0]
                writes |= inner[1]
        for statement in body:
            if isinstance(statement, SetField):
                writes.add(
                    (statement.struct, statement.field, isinstance(statement.reference, Current))
                )
            elif isinstance(statement, Alloc | Free):
                writes |= self._pool(statement.struct)
        return frozenset(reads), frozenset(writes)

    def _pool(self, struct: str) -> set[Access]:
        fields = self.program.structs[struct].fields.values()
        return {
            (struct, POOL, False),
            *((struct, item.name, False) for item in fields if not item.own),
        }


def _step_footprint(program: Program, step: Step, atomics: _AtomicFootprints) -> Footprint:
    reads, writes = atomics.collect(step_expressions(step), statements(step.body))
    if step.killable:
        reads |= {("Thread", "fatal_signal_pending", True)}
    return reads, writes


def _property_reads(program: Program, atomics: _AtomicFootprints) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for item in program.properties:
        reads, _ = atomics.of(item.function)
        found |= {(struct, name) for struct, name, _ in reads}
    return found


def _is_local(program: Program, step: Step, visible: set[tuple[str, str]]) -> bool:
    if step.kind not in (PLAIN, "cpu", "sleep"):
        return False
    for statement in statements(step.body):
        if isinstance(statement, Assert | Emit):
            return False
    if any(isinstance(item, Finish) for item in statements(step.body)):
        return False
    for struct, name, _ in step.reads:
        declared = program.structs[struct].fields[name]
        if not (declared.const or declared.private):
            return False
    for struct, name, _ in step.writes:
        if name == POOL:
            return False
        declared = program.structs[struct].fields[name]
        if not declared.private or (struct, name) in visible:
            return False
    return True


def _break_local_cycles(program: Program) -> None:
    """Mark one step of every cycle of local steps as not local."""
    state: dict[int, int] = {}
    for root in program.steps:
        if root.is_local and root.label not in state:
            _search_cycle(program, root.label, state)


def _local_successors(program: Program, label: int) -> list[int]:
    step = program.step_at(label)
    found = jump_targets(step)
    for statement in statements(step.body):
        if isinstance(statement, ReturnJump):
            found += [site for site in program.return_sites.get(statement.function, []) if site]
    return [target for target in found if program.step_at(target).is_local]


def _search_cycle(program: Program, root: int, state: dict[int, int]) -> None:
    stack = [(root, iter(_local_successors(program, root)))]
    state[root] = 1
    while stack:
        label, rest = stack[-1]
        target = next(rest, 0)
        if target == 0:
            state[label] = 2
            stack.pop()
        elif state.get(target, 0) == 0:
            state[target] = 1
            stack.append((target, iter(_local_successors(program, target))))
        elif state[target] == 1:
            program.step_at(target).is_local = False

# SPDX-License-Identifier: GPL-2.0-only
"""Why a property is false in a state, and who waits for whom in a deadlock."""

from __future__ import annotations

from typing import Any

from faultlock.check.notes import HELD, holdings_of, instance_name
from faultlock.check.path import thread_name
from faultlock.lang import program as ir
from faultlock.lang.constants import evaluate_constant
from faultlock.lang.evaluate import BLOCKED, CHOICE, Machine, _Return
from faultlock.lang.listing import Printer
from faultlock.lang.traverse import expressions_in

SLEEPING_LOCKS = {
    ("MM", "mmap_lock"): "holds_mmap_lock",
    ("VMA", "vm_lock"): "holds_vma_lock",
    ("Mapping", "invalidate_lock"): "holds_invalidate_lock",
    ("Mapping", "i_rwsem"): "holds_i_rwsem",
    ("Mapping", "i_mmap_rwsem"): "holds_i_mmap_rwsem",
}
GHOST_OF_STRUCT = {"Folio": "holds_folio_lock", "VMA": "holds_vma_lock", "MM": "holds_mmap_lock"}


class _Tracer(Machine):
    """Remembers the tests that led to the return of a property, and the locals there."""

    def __init__(self, program: ir.Program, function: str) -> None:
        super().__init__(program)
        self.function = function
        self.tests: list[tuple[ir.Expr, bool]] = []
        self.last: ir.Return | None = None
        self.values: dict[str, int] = {}
        self.depth = 0

    def call_atomic(self, name: str, arguments: Any) -> int:
        self.depth += 1
        try:
            return super().call_atomic(name, arguments)
        finally:
            self.depth -= 1

    def _statement(self, statement: ir.Stmt, local: dict[str, int]) -> None:
        if self.depth == 1:
            self.values = local
            if isinstance(statement, ir.Return):
                self.last = statement
            elif isinstance(statement, ir.If):
                self.tests.append((statement.test, bool(self.value(statement.test, local))))
                try:
                    super()._statement(statement, local)
                except _Return:
                    raise  # the tests that led here stay on the stack
                except Exception:
                    self.tests.pop()
                    raise
                self.tests.pop()
                return
        super()._statement(statement, local)


def false_part(program: ir.Program, item: ir.Property, state: dict[Any, int]) -> str:
    """Which part of a property is false in a state (of Machine), with the values there."""
    tracer = _Tracer(program, item.function)
    tracer.state = dict(state)
    if tracer.call(item.function) == 1 or tracer.last is None:
        return ""
    printer = Printer(program)
    parts = [
        printer.expression(test, 2, item.function) if held
        else f"not ({printer.expression(test, 0, item.function)})"
        for test, held in tracer.tests
    ]
    value = tracer.last.value
    if value is not None and not isinstance(value, ir.Const):
        conjunct = _false_conjunct(tracer, value)
        parts.append("false: " + printer.expression(conjunct, 0, item.function))
    return " and ".join(parts) + _values(program, item.function, tracer.values)


def _false_conjunct(machine: Machine, value: ir.Expr) -> ir.Expr:
    while isinstance(value, ir.Logical) and value.operator == "and":
        left = bool(machine.value(value.left, _locals(machine)))
        value = value.right if left else value.left
    return value


def _locals(machine: Machine) -> dict[str, int]:
    return machine.values if isinstance(machine, _Tracer) else {}


def _values(program: ir.Program, function: str, values: dict[str, int]) -> str:
    threads = [entry.name for entry in program.threads]
    said = []
    for name, kind in program.atomics[function].locals.items():
        if name in values and not name.startswith("$") and name.isidentifier():
            value = values[name]
            if isinstance(kind, ir.RefType):
                text = instance_name(kind.struct, value, threads) if value else "None"
            else:
                text = str(value)
            said.append(f"{name} = {text}")
    return f" ({', '.join(said)})" if said else ""


# ---- deadlock ------------------------------------------------------------------------------------


def _lock_of(program: ir.Program, reference: int) -> tuple[str, str, int] | None:
    """(owner struct, field, instance) of an rwsem number."""
    for owner in program.structs.values():
        for name, field in owner.fields.items():
            target = field.type
            if not field.own or not isinstance(target, ir.RefType):
                continue
            if target.struct != "RwSemaphore":
                continue
            first = own_first(program, owner.name, name)
            count = evaluate_constant(owner.count, program.parameters)
            if first is not None and first < reference <= first + count:
                return owner.name, name, reference - first
    return None


def own_first(program: ir.Program, struct: str, field: str) -> int | None:
    """Number before that of the first embedded instance; None: nobody refers to one."""
    bodies = [step.body for step in program.steps]
    bodies += [atomic.body for atomic in program.atomics.values()]
    for body in bodies:
        for item in expressions_in(body):
            if isinstance(item, ir.OwnRef) and (item.struct, item.field) == (struct, field):
                return evaluate_constant(item.first, program.parameters)
    return None


def waits_of(machine: Machine) -> list[str]:
    """One sentence per thread that is blocked: what it waits for, and who has that."""
    program = machine.program
    said = []
    for thread, entry in enumerate(program.threads, start=1):
        label = machine.get(("pc", thread))
        if label == 0:
            continue
        before = dict(machine.state)
        outcome = machine.step(thread)
        machine.state = before
        name = thread_name(program, thread)
        if outcome.code not in (BLOCKED, CHOICE) or (entry.daemon and outcome.code == CHOICE):
            continue
        step = program.step_at(label)
        place = f"{step.function} ({step.file}:{step.line})"
        target, holders = _what_and_who(machine, outcome.b, outcome.c)
        if entry.daemon and not target:
            continue
        who = f", held by {', '.join(holders)}" if holders else ""
        said.append(f"{name} waits in {place}" + (f" for {target}{who}" if target else ""))
    return said


def _what_and_who(machine: Machine, struct_number: int, reference: int) -> tuple[str, list[str]]:
    program = machine.program
    struct = next((s.name for s in program.structs.values() if s.number == struct_number), "")
    if not struct or not reference:
        return "", []
    threads = [entry.name for entry in program.threads]
    if struct == "RwSemaphore":
        lock = _lock_of(program, reference)
        if lock is None:
            return f"rwsem {reference}", []
        owner, field, instance = lock
        ghost = SLEEPING_LOCKS.get((owner, field), "")
        return f"{field} of {instance_name(owner, instance, threads)}", _holders(
            machine, ghost, instance)
    if struct == "Folio":
        if machine.get(("field", "Folio", reference, "reading", 0)):
            return f"the read of folio {reference}", []
        return f"folio {reference}", _holders(machine, "holds_folio_lock", reference)
    ghost = GHOST_OF_STRUCT.get(struct, "")
    return instance_name(struct, reference, threads), _holders(machine, ghost, reference)


def _holders(machine: Machine, ghost: str, instance: int) -> list[str]:
    if ghost not in HELD:
        return []
    return [
        thread_name(machine.program, thread)
        + ("" if machine.get(("pc", thread)) else " (which has ended)")
        for thread in range(1, len(machine.program.threads) + 1)
        if machine.get(("field", "Thread", thread, ghost, 0)) == instance
        and ghost in holdings_of(machine, thread)
    ]

# SPDX-License-Identifier: GPL-2.0-only
"""The reference interpreter: what a Program means.

Slow and plain on purpose.  The state is a dict from variable (see layout.Variable) to Python
int; locals of different functions never share anything here.  Every other engine is tested
against this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from faultlock.lang import program as ir
from faultlock.lang.constants import BINARY, UNARY, evaluate_constant
from faultlock.lang.layout import RETURN_SITE
from faultlock.lang.machine_state import Key, MachineState

BLOCKED, RAN, CHOICE, FINISHED, FAILED, ERROR, CPU, SLEEP = range(8)
__all__ = [
    "BLOCKED", "CHOICE", "CPU", "ERROR", "FAILED", "FINISHED", "RAN", "SLEEP", "FailedCallError",
    "Key", "Machine", "Outcome", "Record",
]  # fmt: skip

LOOP_LIMIT = 100_000
RECORD_LIMIT = 1 << 13
WAKE = -1

Record = tuple[int, int, int, int]


class Outcome(NamedTuple):
    """What a step did: the code and out[1..3] of the native step, and its records."""

    code: int
    a: int = 0
    b: int = 0
    c: int = 0
    records: tuple[Record, ...] = ()


class _Failure(Exception):
    """An assertion (code 4) or model error (code 5) with its number."""

    def __init__(self, code: int, number: int) -> None:
        super().__init__(code, number)
        self.code, self.number = code, number


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class _EndOfStep(Exception):
    def __init__(self, label: int) -> None:
        super().__init__(label)
        self.label = label


class Machine(MachineState):
    """Executes a program; `state` holds every variable that is not 0."""

    def __init__(
        self,
        program: ir.Program,
        parameters: Mapping[str, int] | None = None,
        mode: str = "check",
        entries: Iterable[int] | None = None,
    ) -> None:
        super().__init__()
        self.program = program
        self.parameters = {**program.parameters, **(parameters or {})}
        self.simulate = mode == "simulate"
        self.thread = 1
        self.records: list[Record] = []
        if entries is None:
            entries = [thread.entry for thread in program.threads]
        for thread, entry in enumerate(entries, start=1):
            self.put(("pc", thread), entry)

    # ---- steps ---------------------------------------------------------------------------------

    def step(self, thread: int, choice: int | None = None) -> Outcome:
        """One step of one thread (1-based)."""
        self.thread = thread
        self.records = []
        label = self.get(("pc", thread))
        if label == 0:
            return Outcome(FINISHED)
        step = self.program.step_at(label)
        try:
            outcome = self._execute(step, choice)
        except _Failure as failure:
            outcome = Outcome(failure.code, failure.number)
        return outcome._replace(records=tuple(self.records))

    def _execute(self, step: ir.Step, choice: int | None) -> Outcome:
        amount = 1
        if step.kind == ir.WAIT and not self._may_pass(step):
            struct, reference = 0, 0
            if step.reason is not None:
                struct = self.program.structs[step.reason[0]].number
                reference = self.value(step.reason[1], {})
            return Outcome(BLOCKED, step.label, struct, reference)
        if step.kind == ir.CHOOSE:
            refused = self._choose(step, choice)
            if refused is not None:
                return refused
        if step.kind in (ir.CPU, ir.SLEEP) and step.amount is not None:
            amount = self.value(step.amount, {})
        try:
            self.execute(step.body, {})
        except _EndOfStep as end:
            self.put(("pc", self.thread), end.label)
        else:
            raise _Failure(ERROR, 0)
        if self.simulate and step.kind == ir.CPU:
            return Outcome(CPU, step.cost, amount)
        if self.simulate and step.kind == ir.SLEEP:
            return Outcome(SLEEP, amount)
        return Outcome(RAN)

    def _may_pass(self, step: ir.Step) -> bool:
        assert step.guard is not None
        if self.value(step.guard, {}):
            return True
        pending = ("field", "Thread", self.thread, "fatal_signal_pending", 0)
        return step.killable and self.get(pending) != 0

    def _choose(self, step: ir.Step, choice: int | None) -> Outcome | None:
        """None when the choice was taken."""
        assert step.low is not None and step.high is not None and step.target is not None
        low, high = self.value(step.low, {}), self.value(step.high, {})
        blocked = Outcome(BLOCKED, step.label)
        if choice is None:
            return Outcome(CHOICE, low, high, step.choice) if low < high else blocked
        if not low <= choice < high:
            return blocked
        key = ("local", self.thread, step.target.function, step.target.name)
        before = self.get(key)
        self.put(key, choice)
        if step.guard is not None and not self.value(step.guard, {}):
            self.put(key, before)
            return blocked
        return None

    def call(self, name: str, *arguments: int, thread: int = 1) -> int:
        """Call an atomic function as `thread`.  Raises FailedCallError when a check fails."""
        self.thread = thread
        self.records = []
        try:
            return self.call_atomic(name, arguments)
        except _Failure as failure:
            raise FailedCallError(failure.code, failure.number) from None

    # ---- expressions ---------------------------------------------------------------------------

    def value(self, expression: ir.Expr, local: dict[str, int]) -> int:
        """The value of an expression; `local`: the locals of the atomic function it stands in."""
        match expression:
            case ir.Const(value):
                return value
            case ir.Param(name):
                return self.parameters[name]
            case ir.Current():
                return self.thread
            case ir.Local():
                return self._read_local(expression, local)
            case ir.LoadField(struct, field, reference, index, error):
                instance = self.value(reference, local)
                element = None if index is None else self.value(index, local)
                self._check_place(struct, field, instance, element, error)
                return self.get(("field", struct, instance, field, element or 0))
            case ir.OwnRef(struct=struct, reference=reference, first=first, error=error):
                instance = self.value(reference, local)
                self._check_reference(struct, instance, error)
                return self.value(first, local) + instance
            case ir.Unary(operator, operand):
                return UNARY[operator](self.value(operand, local))
            case ir.Binary(operator, left, right):
                first_value = self.value(left, local)
                return BINARY[operator](first_value, self.value(right, local))
            case ir.Logical(operator, left, right):
                if (self.value(left, local) != 0) == (operator == "or"):
                    return int(operator == "or")
                return int(self.value(right, local) != 0)
            case ir.Conditional(test, then, otherwise):
                return self.value(then if self.value(test, local) else otherwise, local)
            case ir.AtomicCall(function, arguments):
                return self.call_atomic(function, [self.value(each, local) for each in arguments])

    def call_atomic(self, name: str, arguments: Iterable[int]) -> int:
        """Execute an atomic function; 0 when it returns nothing."""
        function = self.program.atomics[name]
        names = [parameter for parameter, _ in function.parameters]
        try:
            self.execute(function.body, dict(zip(names, arguments, strict=True)))
        except _Return as returned:
            return returned.value
        return 0

    def _read_local(self, local: ir.Local, atomic: dict[str, int]) -> int:
        if local.function in self.program.functions:
            return self.get(("local", self.thread, local.function, local.name))
        return atomic.get(local.name, 0)

    def _constant(self, expression: ir.Expr) -> int:
        return evaluate_constant(expression, self.parameters)

    def _check_reference(self, struct: str, reference: int, error: int) -> None:
        if not 1 <= reference <= self._constant(self.program.structs[struct].count):
            raise _Failure(ERROR, error)

    def _check_place(
        self, struct: str, field: str, reference: int, index: int | None, error: int
    ) -> None:
        self._check_reference(struct, reference, error)
        if index is not None:
            length = self.program.structs[struct].fields[field].length
            assert length is not None
            if not 0 <= index < self._constant(length):
                raise _Failure(ERROR, error)

    def _check_range(self, type_: ir.Type, value: int, error: int) -> None:
        if not error or not isinstance(type_, ir.IntType):
            return
        if type_.low is None or type_.high is None:
            return
        if not self._constant(type_.low) <= value <= self._constant(type_.high):
            raise _Failure(ERROR, error)

    # ---- statements ----------------------------------------------------------------------------

    def execute(self, body: Iterable[ir.Stmt], local: dict[str, int]) -> None:
        """Execute statements in order."""
        for statement in body:
            self._statement(statement, local)

    def _statement(self, statement: ir.Stmt, local: dict[str, int]) -> None:
        match statement:
            case ir.SetLocal(target, value, error):
                self._set_local(target, self.value(value, local), error, local)
            case ir.SetField():
                self._set_field(statement, local)
            case ir.If(test, then, otherwise):
                self.execute(then if self.value(test, local) else otherwise, local)
            case ir.While():
                self._loop(statement, local)
            case ir.Break():
                raise _Break
            case ir.Continue():
                raise _Continue
            case ir.Evaluate(value):
                self.value(value, local)
            case ir.Alloc(struct, target):
                self._set_local(target, self._allocate(struct), 0, local)
            case ir.Free(struct, reference, error):
                self._free(struct, self.value(reference, local), error)
            case ir.Assert(test, number):
                if not self.value(test, local):
                    raise _Failure(FAILED, number)
            case ir.Emit(event, arguments):
                values = [self.value(each, local) for each in arguments]
                a, b, c = [*values, 0, 0, 0][:3]
                self._record((event, a, b, c))
            case ir.Return(value):
                raise _Return(0 if value is None else self.value(value, local))
            case ir.Jump(label):
                raise _EndOfStep(label)
            case ir.ReturnJump(function):
                cell = ("local", self.thread, function, RETURN_SITE)
                site = self.get(cell)
                self.put(cell, 0)
                raise _EndOfStep(self.program.return_sites[function][site - 1] if site else 0)
            case ir.Finish():
                raise _EndOfStep(0)

    def _set_local(self, target: ir.Local, value: int, error: int, local: dict[str, int]) -> None:
        owner: ir.StepFunction | ir.AtomicFunction | None
        owner = self.program.functions.get(target.function)
        if owner is not None:
            self._check_range(owner.locals[target.name], value, error)
            self.put(("local", self.thread, target.function, target.name), value)
            return
        owner = self.program.atomics[target.function]
        self._check_range(owner.locals[target.name], value, error)
        local[target.name] = value

    def _set_field(self, store_: ir.SetField, local: dict[str, int]) -> None:
        instance = self.value(store_.reference, local)
        index = None if store_.index is None else self.value(store_.index, local)
        value = self.value(store_.value, local)
        self._check_place(store_.struct, store_.field, instance, index, store_.error)
        type_ = self.program.structs[store_.struct].fields[store_.field].type
        self._check_range(type_, value, store_.range_error)
        self.put(("field", store_.struct, instance, store_.field, index or 0), value)
        if store_.wakes and instance != self.thread:
            self._record((WAKE, instance, 0, 0))

    def _record(self, record: Record) -> None:
        if self.simulate and len(self.records) < RECORD_LIMIT:
            self.records.append(record)

    def _loop(self, loop: ir.While, local: dict[str, int]) -> None:
        rounds = 0
        while self.value(loop.test, local):
            rounds += 1
            if rounds > LOOP_LIMIT:
                raise _Failure(ERROR, loop.error)
            try:
                self.execute(loop.body, local)
            except _Break:
                return
            except _Continue:
                continue

    def _allocate(self, struct: str) -> int:
        for instance in range(1, self._constant(self.program.structs[struct].count) + 1):
            if not self.get(("free", struct, instance)):
                self.put(("free", struct, instance), 1)
                return instance
        return 0

    def _free(self, struct: str, instance: int, error: int) -> None:
        self._check_reference(struct, instance, error)
        if not self.get(("free", struct, instance)):
            raise _Failure(ERROR, error)
        self.put(("free", struct, instance), 0)
        for field in self.program.structs[struct].fields.values():
            if field.length is None and not field.own:
                self.put(("field", struct, instance, field.name, 0), 0)


class FailedCallError(Exception):
    """An atomic function that was called directly failed: code 4 or 5, and its number."""

    def __init__(self, code: int, number: int) -> None:
        super().__init__(f"code {code}, number {number}")
        self.code, self.number = code, number

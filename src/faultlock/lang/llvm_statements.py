# SPDX-License-Identifier: GPL-2.0-only
"""LLVM IR of statements, steps and atomic functions."""

from __future__ import annotations

from collections.abc import Iterable

from faultlock.lang import program as ir
from faultlock.lang.layout import RETURN_SITE
from faultlock.lang.llvm_expressions import Writer
from faultlock.lang.llvm_module import LOOP_LIMIT, NO_CHOICE, LlvmModule
from faultlock.lang.llvm_writer import FAILED_ASSERTION, FAILED_MODEL
from faultlock.lang.traverse import assigned_locals

BLOCKED, RAN, CHOICE, FINISHED, CPU, SLEEP = 0, 1, 2, 3, 6, 7
STEP_ARGUMENTS = (
    "ptr noalias %S, ptr noalias %out, ptr noalias %frame, ptr noalias %pc, "
    "i64 %thread, i64 %choice"
)


class BodyWriter(Writer):
    """Statements that atomic functions and steps share."""

    def __init__(self, module: LlvmModule) -> None:
        super().__init__(module)
        self.loops: list[tuple[str, str]] = []  # (continue, break) labels, innermost last

    def statements(self, body: Iterable[ir.Stmt]) -> None:
        """A body; stops where the rest cannot be reached."""
        for statement in body:
            if self.ended:
                return
            self.statement(statement)

    def statement(self, statement: ir.Stmt) -> None:
        """One statement."""
        match statement:
            case ir.SetLocal(target, value, error):
                self.set_local(target, self.value(value), error)
            case ir.SetField():
                self.set_field(statement)
            case ir.If(test, then, otherwise):
                self.if_(self.test(test), then, otherwise)
            case ir.While():
                self.while_(statement)
            case ir.Break():
                self.end(f"br label %{self.loops[-1][1]}")
            case ir.Continue():
                self.end(f"br label %{self.loops[-1][0]}")
            case ir.Evaluate(value):
                self.value(value)
            case ir.Alloc(struct, target):
                self.set_local(target, self.define(f"call fastcc i64 @alloc.{struct}(ptr %S)"), 0)
            case ir.Free():
                self.free(statement)
            case ir.Assert(test, number):
                self.fail_unless(self.test(test), FAILED_ASSERTION, number)
            case ir.Emit(event, arguments):
                self.emit_record(event, [self.value(each) for each in arguments])
            case ir.Return(value):
                self.return_value("0" if value is None else self.value(value))
            case ir.Jump(label):
                self.jump(str(label))
            case ir.ReturnJump(function):
                self.return_jump(function)
            case ir.Finish():
                self.jump("0")

    def set_local(self, target: ir.Local, value: str, error: int) -> None:
        """Store an operand in a local, after its range check."""
        functions = self.module.program.functions
        if target.function in functions:
            self.check_range(functions[target.function].locals[target.name], value, error)
            address, width, _ = self.local_address(target)
            self.store_number(address, value, width)
            return
        owner = self.module.program.atomics[target.function]
        self.check_range(owner.locals[target.name], value, error)
        self.emit(f"store i64 {value}, ptr {self.cells[target.name]}, align 8")

    def set_field(self, store: ir.SetField) -> None:
        """Evaluate reference, index, value; check; store; tell who may wake up."""
        reference = self.value(store.reference)
        index = None if store.index is None else self.value(store.index)
        value = self.value(store.value)
        self.check_reference(store.struct, store.reference, reference, store.error)
        if index is not None:
            self.check_index(store.struct, store.field, index, store.error)
        type_ = self.module.program.structs[store.struct].fields[store.field].type
        self.check_range(type_, value, store.range_error)
        place = self.layout.field_place(store.struct, store.field)
        address = self.field_address(store.struct, store.field, reference, index)
        self.store_number(address, value, place.width)
        if store.wakes and self.module.simulate and not isinstance(store.reference, ir.Current):
            self.emit(f"call fastcc void @wake(ptr %out, i64 %thread, i64 {reference})")

    def if_(self, test: str, then: tuple[ir.Stmt, ...], otherwise: tuple[ir.Stmt, ...]) -> None:
        """A branch; a test that is known keeps one side only."""
        if test in ("true", "false"):
            self.statements(then if test == "true" else otherwise)
            return
        labels = [self.fresh(stem) for stem in ("then", "else", "endif")]
        self.branch(test, labels[0], labels[1] if otherwise else labels[2])
        reached = not otherwise
        for label, body in ((labels[0], then), (labels[1], otherwise)):
            if not body and label == labels[1]:
                continue
            self.start(label)
            self.statements(body)
            if not self.ended:
                reached = True
                self.end(f"br label %{labels[2]}")
        if reached:
            self.start(labels[2])

    def while_(self, loop: ir.While) -> None:
        """A loop with a bound on its rounds."""
        again, body, done = (self.fresh(stem) for stem in ("again", "body", "done"))
        rounds = "%" + self.fresh("rounds")
        if self.checks:
            self.head.append(f"  {rounds} = alloca i64")
            self.emit(f"store i64 0, ptr {rounds}, align 8")
        self.end(f"br label %{again}")
        self.start(again)
        self.branch(self.test(loop.test), body, done)
        self.start(body)
        if self.checks:
            count = self.define(f"load i64, ptr {rounds}, align 8")
            more = self.define(f"add i64 {count}, 1")
            self.emit(f"store i64 {more}, ptr {rounds}, align 8")
            within = self.define(f"icmp ult i64 {count}, {LOOP_LIMIT}")
            self.fail_unless(within, FAILED_MODEL, loop.error)
        self.loops.append((again, done))
        self.statements(loop.body)
        self.loops.pop()
        if not self.ended:
            self.end(f"br label %{again}")
        self.start(done)

    def free(self, statement: ir.Free) -> None:
        """Give an instance back; an error when it is None or not allocated."""
        reference = self.value(statement.reference)
        struct = statement.struct
        self.check_reference(struct, statement.reference, reference, statement.error)
        if self.checks:
            used = self.define(f"call fastcc i1 @used.{struct}(ptr %S, i64 {reference})")
            self.fail_unless(used, FAILED_MODEL, statement.error)
        self.emit(f"call fastcc void @free.{struct}(ptr %S, i64 {reference})")

    def emit_record(self, event: int, arguments: list[str]) -> None:
        """A statistics record; nothing in check mode (the arguments have been evaluated)."""
        if self.module.simulate:
            a, b, c = (arguments + ["0"] * 3)[:3]
            self.emit(f"call fastcc void @record(ptr %out, i64 {event}, i64 {a}, i64 {b}, i64 {c})")

    def return_value(self, value: str) -> None:
        """Return from an atomic function."""
        raise TypeError(f"{type(self).__name__} returns no value")

    def jump(self, label: str) -> None:
        """End the step at the label `label` (an operand)."""
        raise TypeError(f"{type(self).__name__} has no labels to jump to")

    def return_jump(self, function: str) -> None:
        """End the step at the call site in the function's return cell."""
        raise TypeError(f"{type(self).__name__} has no call sites")

    def finish(self) -> list[str]:
        """All lines, allocas first."""
        return [self.lines[0], *self.head, *self.lines[1:]]


class AtomicWriter(BodyWriter):
    """An atomic function: fastcc i64, or { i64, i32 } when it may fail."""

    def __init__(self, module: LlvmModule, function: ir.AtomicFunction) -> None:
        super().__init__(module)
        self.function = function
        assigned = {local.name for local in assigned_locals(function.body)}
        arguments = {name: f"%arg{i}" for i, (name, _) in enumerate(function.parameters)}
        for number, name in enumerate(function.locals):
            if name in arguments and name not in assigned:
                self.atomic_values[name] = arguments[name]
                continue
            self.cells[name] = f"%cell{number}"
            self.head.append(f"  %cell{number} = alloca i64")
            initial = arguments.get(name, "0")
            self.head.append(f"  store i64 {initial}, ptr %cell{number}, align 8")

    def return_value(self, value: str) -> None:
        self.end(f"return {value}")  # completed when it is known whether the function may fail

    def return_failure(self, status: str) -> None:
        self.end(f"ret {{ i64, i32 }} {self.pair('0', status)}")

    def pair(self, value: str, status: str) -> str:
        """A { i64, i32 } operand."""
        if status == "0":
            return self.define(f"insertvalue {{ i64, i32 }} zeroinitializer, i64 {value}, 0")
        return self.define(f"insertvalue {{ i64, i32 }} zeroinitializer, i32 {status}, 1")

    def text(self) -> str:
        """The whole function; adds it to module.may_fail when it can fail."""
        self.statements(self.function.body)
        if not self.ended:
            self.return_value("0")
        fails = bool(self.failures or self.propagated)
        self.write_failures()
        lines: list[str] = []
        for line in self.finish():
            if line.startswith("  return "):
                value = line[9:]
                if fails:
                    pair = f"%pair{len(lines)}"
                    empty = "{ i64, i32 } zeroinitializer"
                    lines.append(f"  {pair} = insertvalue {empty}, i64 {value}, 0")
                    line = f"  ret {{ i64, i32 }} {pair}"
                else:
                    line = f"  ret i64 {value}"
            lines.append(line)
        if fails:
            self.module.may_fail.add(self.function.name)
        type_ = "{ i64, i32 }" if fails else "i64"
        arguments = "".join(f", i64 %arg{i}" for i in range(len(self.function.parameters)))
        head = (
            f"define internal fastcc {type_} @atomic.{self.function.name}"
            f"(ptr noalias %S, ptr noalias %out, i64 %thread{arguments}) nounwind {{"
        )
        return "\n".join([head, *lines, "}", ""])


class StepWriter(BodyWriter):
    """One step: fastcc i32 (the code that `step` returns)."""

    def __init__(self, module: LlvmModule, step: ir.Step) -> None:
        super().__init__(module)
        self.step = step
        self.amount: str | None = None

    def return_failure(self, status: str) -> None:
        self.end(f"ret i32 {status}")

    def out_word(self, word: int, value: str) -> None:
        """Store an operand in out[word]."""
        self.emit(f"store i64 {value}, ptr {self.address('%out', str(8 * word))}")

    def jump(self, label: str) -> None:
        self.store_number("%pc", label, self.layout.pc_width)
        kind = self.step.kind
        if self.module.simulate and kind in (ir.CPU, ir.SLEEP) and self.amount is not None:
            if kind == ir.CPU:
                self.out_word(1, str(self.step.cost))
                self.out_word(2, self.amount)
            else:
                self.out_word(1, self.amount)
            self.end(f"ret i32 {CPU if kind == ir.CPU else SLEEP}")
            return
        self.end(f"ret i32 {RAN}")

    def return_jump(self, function: str) -> None:
        cell = ir.Local(function, RETURN_SITE)
        site = self.read_local(cell)
        address, width, _ = self.local_address(cell)
        self.store_number(address, "0", width)
        entry = self.define(f"getelementptr i32, ptr @return_sites.{function}, i64 {site}")
        label = self.define(f"load i32, ptr {entry}, !invariant.load !0")
        self.jump(self.define(f"sext i32 {label} to i64"))

    def blocked(self) -> None:
        """Return that the step is not enabled, and what it waits for."""
        struct, reference = "0", "0"
        if self.step.kind == ir.WAIT and self.step.reason is not None:
            struct = str(self.module.program.structs[self.step.reason[0]].number)
            reference = self.value(self.step.reason[1])
        for word, value in ((1, str(self.step.label)), (2, struct), (3, reference)):
            self.out_word(word, value)
        self.end(f"ret i32 {BLOCKED}")

    def wait(self) -> None:
        """Go on when the guard holds or, killable, a fatal signal is pending."""
        assert self.step.guard is not None
        guard = self.step.guard
        if self.step.killable:
            pending = ir.LoadField("Thread", "fatal_signal_pending", ir.Current(), None, 0)
            guard = ir.Logical("or", guard, pending)
        test = self.test(guard)
        if test == "true":
            return
        enabled, blocked = self.fresh("enabled"), self.fresh("blocked")
        self.branch(test, enabled, blocked)
        self.start(blocked)
        self.blocked()
        self.start(enabled)

    def choose(self) -> None:
        """Ask for a value, or take the one given when it is in the range and the guard holds."""
        step = self.step
        assert step.low is not None and step.high is not None and step.target is not None
        low, high = self.value(step.low), self.value(step.high)
        labels = {stem: self.fresh(stem) for stem in ("ask", "given", "within", "want", "blocked")}
        asked = self.define(f"icmp eq i64 %choice, {NO_CHOICE}")
        self.branch(asked, labels["ask"], labels["given"])
        self.start(labels["ask"])
        some = self.define(f"icmp slt i64 {low}, {high}")
        self.branch(some, labels["want"], labels["blocked"])
        self.start(labels["want"])
        for word, value in ((1, low), (2, high), (3, str(step.choice))):
            self.out_word(word, value)
        self.end(f"ret i32 {CHOICE}")
        self.start(labels["blocked"])
        self.blocked()
        self.start(labels["given"])
        above = self.define(f"icmp sge i64 %choice, {low}")
        below = self.define(f"icmp slt i64 %choice, {high}")
        inside = self.define(f"and i1 {above}, {below}")
        self.branch(inside, labels["within"], labels["blocked"])
        self.start(labels["within"])
        address, width, signed = self.local_address(step.target)
        before = self.load_number(address, width, signed)
        self.store_number(address, "%choice", width)
        if step.guard is not None:
            test = self.test(step.guard)
            taken, refused = self.fresh("taken"), self.fresh("refused")
            self.branch(test, taken, refused)
            self.start(refused)
            self.store_number(address, before, width)
            self.end(f"br label %{labels['blocked']}")
            self.start(taken)

    def text(self) -> str:
        """The whole function."""
        if self.step.kind == ir.WAIT:
            self.wait()
        elif self.step.kind == ir.CHOOSE:
            self.choose()
        elif self.step.kind in (ir.CPU, ir.SLEEP):
            self.amount = "1" if self.step.amount is None else self.value(self.step.amount)
        self.statements(self.step.body)
        if not self.ended:  # the front end ends every body; never reached
            self.out_word(1, "0")
            self.end(f"ret i32 {FAILED_MODEL}")
        self.write_failures()
        head = f"define internal fastcc i32 @step.{self.step.label}({STEP_ARGUMENTS}) nounwind {{"
        return "\n".join([head, *self.finish(), "}", ""])

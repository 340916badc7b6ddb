# SPDX-License-Identifier: GPL-2.0-only
"""Making steps: plain ones, calls and returns, wait, choose, cpu, sleep."""

from __future__ import annotations

import ast

from faultlock.lang.block import BlockCompiler
from faultlock.lang.expressions import ExpressionBuilder
from faultlock.lang.labels import RESULT, RETURN_SITE, Labels
from faultlock.lang.program import (
    CHOOSE,
    CPU,
    SLEEP,
    WAIT,
    Const,
    Expr,
    Finish,
    Jump,
    Local,
    NoneType,
    RefType,
    ReturnJump,
    SetLocal,
    Step,
    Stmt,
    Type,
)
from faultlock.lang.source import FunctionSource
from faultlock.lang.symbols import INT


class StepEmitter:
    """Makes the steps of one function; the control flow is in lang/steps.py."""

    def __init__(self, labels: Labels, function: FunctionSource) -> None:
        self.labels = labels
        self.symbols = labels.symbols
        self.function = function
        self.builder = ExpressionBuilder(labels.symbols, function, atomic=False)
        self.block = BlockCompiler(self.builder, not labels.statistics)
        self.calls: list[str] = []
        self.own: list[int] = []
        self.loops: list[tuple[int, int]] = []  # (continue label, break label)
        self.returns: Type = labels.symbols.type_of(function.node.returns, function.source)
        self.is_root = function.name in labels.roots

    def leave_function(self) -> Stmt:
        return Finish() if self.is_root else ReturnJump(self.function.name)

    def step(self, label: int, node: ast.stmt, body: list[Stmt], text: str = "") -> Step:
        """Make the step at `label`."""
        line = getattr(node, "lineno", 1)
        lines = self.function.source.lines
        source = text or (lines[line - 1].split("#")[0].strip() if line <= len(lines) else "")
        step = Step(label, self.function.name, self.function.source.path, line, source, body=body)
        self.labels.steps[label] = step
        self.own.append(label)
        return step

    def one_access(self, node: ast.AST) -> None:
        """Hold the rule: one shared access a line."""
        if len(self.builder.accesses) > 1:
            self.builder.error(
                node,
                "a line is a step: two shared accesses (" + ", ".join(self.builder.accesses) + ")",
                "read the first into a local on a line of its own, or use `with atomic:`",
            )
        self.builder.accesses.clear()

    def _is_step_function(self, name: str) -> bool:
        function = self.symbols.function(name)
        return function is not None and not function.is_atomic

    # ---- calls -------------------------------------------------------------------------

    def call(self, call: ast.Call, name: str, label: int, node: ast.stmt, back: int) -> None:
        """The step that passes arguments and jumps to `name`; it returns to `back`."""
        function = self.symbols.function(name)
        assert function is not None
        self.calls.append(name)
        if name in self.labels.roots:
            self.builder.error(
                call,
                f"{name} is the entry of a thread and cannot be called",
                "move the common part to a function",
            )
        arguments = self.builder.arguments(call, function)
        self.one_access(call)
        entry = self.labels.entry_of(name)
        sites = self.labels.return_sites.setdefault(name, [])
        sites.append(back)
        body: list[Stmt] = []
        for value, parameter in zip(arguments, function.node.args.args, strict=False):
            kind = self.symbols.type_of(parameter.annotation, function.source)
            error = self.block.range_error(kind, value, f"argument {parameter.arg} of {name}", call)
            body.append(SetLocal(Local(name, parameter.arg), value, error))
        body.append(SetLocal(Local(name, RETURN_SITE), Const(len(sites))))
        self.step(label, node, [*body, Jump(entry)])
        self.labels.call_returns[label] = back

    def _result_type(self, name: str) -> Type:
        function = self.symbols.function(name)
        assert function is not None
        return self.symbols.type_of(function.node.returns, function.source)

    def _call_statement(
        self, node: ast.stmt, call: ast.Call, name: str, label: int, following: int
    ) -> None:
        kind = self._result_type(name)
        if isinstance(node, ast.Expr) and isinstance(kind, NoneType):
            self.call(call, name, label, node, following)
            return
        back = self.labels.new()
        self.call(call, name, label, node, back)
        result = Local(name, RESULT)
        clear = SetLocal(result, Const(0))
        if isinstance(node, ast.Expr):
            self.step(back, node, [clear, Jump(following)])
            return
        if isinstance(kind, NoneType):
            self.builder.error(node, f"{name} returns nothing", "call it on a line of its own")
        self.step(back, node, [*self._store_result(node, result, kind), clear, Jump(following)])

    def _store_result(self, node: ast.stmt, result: Local, kind: Type) -> list[Stmt]:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if not isinstance(target, ast.Name) or isinstance(node, ast.AugAssign):
            self.builder.error(
                node,
                "the result of a step function goes to a local",
                "x = f(...), then store x on the next line",
            )
            return []
        self.block.reuse(target.id, node)
        if isinstance(node, ast.AnnAssign):
            declared = self.symbols.type_of(node.annotation, self.function.source)
            self.block.declare(target, declared)
        elif target.id not in self.builder.locals:
            self.block.declare(target, kind)
        if not self.builder.fits(kind, self.builder.locals[target.id]):
            self.builder.error(node, f"{target.id} has another type", "use another name")
        return [self.block.set_local(Local(self.function.name, target.id), result, node)]

    # ---- wait, choose, cpu, sleep --------------------------------------------------------

    def _special(
        self, name: str, call: ast.Call, node: ast.stmt, label: int, following: int
    ) -> None:
        if name == "choose":
            self.builder.error(
                call, "the chosen value is not used", 'x = choose(low, high, "name")'
            )
        elif name == "wait":
            self._wait(call, node, label, following)
        else:
            self._timed(name, call, node, label, following)

    def _wait(self, call: ast.Call, node: ast.stmt, label: int, following: int) -> None:
        killable = (
            len(call.args) == 2
            and isinstance(call.args[1], ast.Name)
            and call.args[1].id == "killable"
        )
        if not call.args or len(call.args) > 1 + killable:
            self.builder.error(call, "wait takes a condition", "wait(cond) or wait(cond, killable)")
            return
        self.builder.may_call = False
        guard = self.builder.test(call.args[0])
        self.builder.may_call = True
        for access in self.builder.accesses:
            if not access.startswith("current."):
                self.builder.error(
                    call,
                    f"a wait condition reads {access}",
                    "only locals and fields of current: the waker writes a flag of this thread",
                )
        self.builder.accesses.clear()
        step = self.step(label, node, [Jump(following)])
        step.kind, step.guard, step.killable = WAIT, guard, killable
        for keyword in call.keywords:
            reference, kind = self.builder.build(keyword.value)
            if keyword.arg == "on" and isinstance(kind, RefType):
                step.reason = (kind.struct, reference)
            else:
                self.builder.error(
                    call, "wait takes on=reference", "wait(cond, killable, on=folio)"
                )
        self.one_access(call)

    def _choose(self, node: ast.stmt, call: ast.Call, label: int, following: int) -> None:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        text = call.args[2] if len(call.args) == 3 else None
        if not (
            isinstance(target, ast.Name)
            and isinstance(text, ast.Constant)
            and isinstance(text.value, str)
        ):
            self.builder.error(call, "not a choice", 'write x = choose(low, high, "name")')
            return
        low = self.builder.build(call.args[0])[0]
        high = self.builder.build(call.args[1])[0]
        self.block.reuse(target.id, node)
        if isinstance(node, ast.AnnAssign):
            self.block.declare(target, self.symbols.type_of(node.annotation, self.function.source))
        elif target.id not in self.builder.locals:
            self.block.declare(target, INT)
        step = self.step(label, node, [Jump(following)])
        step.kind, step.low, step.high = CHOOSE, low, high
        step.target = Local(self.function.name, target.id)
        step.choice = self.symbols.number(self.symbols.choices, text.value)
        self.builder.accesses.clear()
        for keyword in call.keywords:
            if keyword.arg == "where":
                step.guard = self.builder.test(keyword.value)
            else:
                self.builder.error(call, f"choose has no {keyword.arg}", "where=condition")
        self.builder.accesses.clear()  # bounds, filter and assignment are one step by definition

    def _timed(self, name: str, call: ast.Call, node: ast.stmt, label: int, following: int) -> None:
        amount: Expr = Const(1)
        step = self.step(label, node, [Jump(following)])
        if name == "cpu":
            text = (
                call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            )
            if not isinstance(text, str) or len(call.args) > 2:
                self.builder.error(
                    call, "cpu takes the name of a cost", 'cpu("cost") or cpu("cost", n)'
                )
                return
            if len(call.args) == 2:
                amount = self.builder.value_for(call.args[1], INT, "the number of times")
            step.cost = self.symbols.number(self.symbols.costs, text)
        elif len(call.args) == 1:
            amount = self.builder.value_for(call.args[0], INT, "the time")
        else:
            self.builder.error(call, "sleep takes a time", "sleep(microseconds)")
        self.one_access(call)
        if self.labels.statistics:
            step.kind, step.amount = CPU if name == "cpu" else SLEEP, amount

# SPDX-License-Identifier: GPL-2.0-only
"""Step functions: every source line becomes a step with a label.

Control flow is explicit: each statement is compiled with the label it starts at and the
label that follows.  Steps that only jump are threaded away afterwards (lang/thread_jumps.py).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from faultlock.lang.block import LOOP_BREAK, RETURN, BlockCompiler
from faultlock.lang.expressions import ExpressionBuilder
from faultlock.lang.fold import binary, unary
from faultlock.lang.program import (
    CHOOSE,
    CPU,
    SLEEP,
    WAIT,
    AtomicCall,
    Const,
    Expr,
    Finish,
    If,
    Jump,
    Local,
    NoneType,
    RefType,
    ReturnJump,
    SetLocal,
    Step,
    StepFunction,
    Stmt,
    Type,
)
from faultlock.lang.source import FunctionSource
from faultlock.lang.symbols import INT, Symbols

RESULT, RETURN_SITE = "result", "return site"


@dataclass
class Labels:
    """All steps of a program, by label (1-based), and who calls whom."""

    symbols: Symbols
    statistics: bool
    steps: dict[int, Step] = field(default_factory=dict)
    count: int = 0
    entries: dict[str, int] = field(default_factory=dict)
    functions: dict[str, StepFunction] = field(default_factory=dict)
    return_sites: dict[str, list[int]] = field(default_factory=dict)
    call_returns: dict[int, int] = field(default_factory=dict)
    roots: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)

    def new(self) -> int:
        """A fresh label."""
        self.count += 1
        return self.count

    def entry_of(self, name: str) -> int:
        """Entry label of a step function; it will be compiled."""
        if name not in self.entries:
            self.entries[name] = self.new()
            self.pending.append(name)
        return self.entries[name]


def compile_step_function(labels: Labels, function: FunctionSource) -> None:
    """Compile one function into `labels`."""
    compiler = _FunctionCompiler(labels, function)
    compiler.compile()


class _FunctionCompiler:
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

    # ---- the function ------------------------------------------------------------------

    def compile(self) -> None:
        node, name = self.function.node, self.function.name
        arguments = node.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            self.builder.error(node, "only plain parameters", "def f(a: T, b: T) -> T")
        parameters: list[tuple[str, Type]] = []
        for item in arguments.args:
            if item.annotation is None:
                self.builder.error(item, f"parameter {item.arg} has no type", "write name: type")
            kind = self.symbols.type_of(item.annotation, self.function.source)
            self.block.declare(ast.copy_location(ast.Name(item.arg), item), kind)
            parameters.append((item.arg, self.builder.locals[item.arg]))
        entry = self.labels.entry_of(name)
        end = self.labels.new()
        reachable = self.statements(node.body, entry, end)
        last = node.body[-1]
        if reachable and not isinstance(self.returns, NoneType):
            self.builder.error(
                last, f"{name} ends without a return", "return a value on every path"
            )
        self.step(end, last, [self.leave_function()], text="return")
        local_types = dict(self.builder.locals)
        if not isinstance(self.returns, NoneType):
            local_types[RESULT] = self.returns
        if not self.is_root:
            local_types[RETURN_SITE] = INT
        self.labels.functions[name] = StepFunction(
            name,
            parameters,
            self.returns,
            local_types,
            entry,
            self.own,
            self.calls,
            self.function.source.path,
            node.lineno,
            ast.get_docstring(node) or "",
        )

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

    def statements(self, nodes: list[ast.stmt], entry: int, exit_label: int) -> bool:
        """Compile statements from `entry` to `exit_label`; is the exit reachable?"""
        body = [node for node in nodes if not _is_docstring(node)]
        reachable = True
        label = entry
        for position, node in enumerate(body):
            if not reachable:
                self.builder.error(node, "unreachable code", "remove it")
                break
            following = exit_label if position == len(body) - 1 else self.labels.new()
            reachable = self.statement(node, label, following)
            label = following
        if not body:
            self.step(entry, nodes[0], [Jump(exit_label)], text="pass")
        return reachable

    # ---- one statement -----------------------------------------------------------------

    def statement(self, node: ast.stmt, label: int, following: int) -> bool:
        """Compile one statement; is what follows it reachable?"""
        self.builder.accesses.clear()
        match node:
            case ast.If():
                return self._if(node, label, following)
            case ast.While():
                return self._while(node, label, following)
            case ast.For():
                return self._for(node, label, following)
            case ast.With():
                return self._with(node, label, following)
            case ast.Return():
                self._return(node, label)
                return False
            case ast.Break() | ast.Continue():
                self.step(label, node, self._leave_loop(node))
                return False
        call = _called(node)
        name = call.func.id if call is not None and isinstance(call.func, ast.Name) else ""
        if (
            call is not None
            and isinstance(node, ast.Expr)
            and name in ("wait", "cpu", "sleep", "choose")
        ):
            self._special(name, call, node, label, following)
        elif call is not None and name == "choose":
            self._choose(node, call, label, following)
        elif call is not None and self._is_step_function(name):
            self._call_statement(node, call, name, label, following)
        else:
            body = self.block.statement(node)
            self.one_access(node)
            self.step(label, node, [*body, Jump(following)])
        return True

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

    # ---- control -----------------------------------------------------------------------

    def _branch(self, test: ast.expr, node: ast.stmt, label: int, yes: int, no: int) -> None:
        """The step(s) that decide; the test may be [not] a call of a step function."""
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        inner = test.operand if negated else test  # type: ignore[attr-defined]
        name = (
            inner.func.id
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
            else ""
        )
        if isinstance(test, ast.Constant) and test.value is True:
            self.step(label, node, [Jump(yes)])
            return
        if not (name and self._is_step_function(name)):
            expression = self.builder.test(test)
            self.one_access(test)
            if isinstance(expression, Const):
                self.step(label, node, [Jump(yes if expression.value else no)])
            else:
                self.step(label, node, [If(expression, (Jump(yes),), (Jump(no),))])
            return
        back = self.labels.new()
        assert isinstance(inner, ast.Call)
        self.call(inner, name, label, node, back)
        result = Local(name, RESULT)
        if isinstance(self._result_type(name), NoneType):
            self.builder.error(inner, f"{name} returns nothing", "it cannot be a condition")
        decided: Expr = unary("not", result) if negated else binary("!=", result, Const(0))
        clear = SetLocal(result, Const(0))
        self.step(back, node, [If(decided, (clear, Jump(yes)), (clear, Jump(no)))])

    def _if(self, node: ast.If, label: int, following: int) -> bool:
        then = self.labels.new()
        otherwise = self.labels.new() if node.orelse else following
        self._branch(node.test, node, label, then, otherwise)
        reachable = self.statements(node.body, then, following)
        if node.orelse:
            return self.statements(node.orelse, otherwise, following) or reachable
        return True

    def _while(self, node: ast.While, label: int, following: int) -> bool:
        if node.orelse:
            self.builder.error(node, "else of a loop is not in the language", "use a flag")
        body = self.labels.new()
        self._branch(node.test, node, label, body, following)
        self.loops.append((label, following))
        self.statements(node.body, body, label)
        self.loops.pop()
        forever = isinstance(node.test, ast.Constant) and node.test.value is True
        return not forever or _breaks(node.body)

    def _for(self, node: ast.For, label: int, following: int) -> bool:
        bounds = self.block.for_bounds(node)
        if bounds is None:
            self.step(label, node, [Jump(following)])
            return True
        self.one_access(node.iter)
        variable, start, stop, statements = bounds
        body, advance = self.labels.new(), self.labels.new()
        first = [*statements, SetLocal(variable, start)]
        more = binary("+", variable, Const(1))
        self.step(
            label,
            node,
            [*first, If(binary("<", variable, stop), (Jump(body),), (Jump(following),))],
        )
        self.loops.append((advance, following))
        self.statements(node.body, body, advance)
        self.loops.pop()
        again = (SetLocal(variable, more), Jump(body))
        self.step(advance, node, [If(binary("<", more, stop), again, (Jump(following),))])
        return True

    def _with(self, node: ast.With, label: int, following: int) -> bool:
        item = node.items[0].context_expr
        if len(node.items) != 1 or not isinstance(item, ast.Name) or item.id != "atomic":
            self.builder.error(node, "only `with atomic:` is in the language")
        builder = self.builder
        builder.atomic = True
        block = BlockCompiler(builder, not self.labels.statistics, self._leave)
        body = block.block(node.body)
        builder.atomic = False
        builder.accesses.clear()
        self.step(
            label,
            node,
            [*body, *([] if block.ends else [Jump(following)])],
            text="with atomic: " + ast.unparse(node.body[0]).split("\n")[0],
        )
        return not block.ends or _breaks(node.body)

    def _leave(self, what: str, node: ast.stmt) -> list[Stmt]:
        """return, break or continue out of a `with atomic` block."""
        if what != RETURN:
            return self._leave_loop(node)
        assert isinstance(node, ast.Return)
        value = self.block.return_value(node)
        if value is None:
            return [self.leave_function()]
        return [self._set_result(value, node), self.leave_function()]

    def _leave_loop(self, node: ast.stmt) -> list[Stmt]:
        if not self.loops:
            self.builder.error(node, "outside a loop", "remove it")
            return []
        again, out = self.loops[-1]
        return [Jump(out if isinstance(node, ast.Break) else again)]

    def _set_result(self, value: Expr, node: ast.AST) -> Stmt:
        error = self.block.range_error(
            self.returns, value, f"the result of {self.function.name}", node
        )
        return SetLocal(Local(self.function.name, RESULT), value, error)

    def _return(self, node: ast.Return, label: int) -> None:
        call = node.value if isinstance(node.value, ast.Call) else None
        name = call.func.id if call is not None and isinstance(call.func, ast.Name) else ""
        if call is None or not self._is_step_function(name):
            value = self.block.return_value(node)
            self.one_access(node)
            body = [] if value is None else [self._set_result(value, node)]
            self.step(label, node, [*body, self.leave_function()])
            return
        back = self.labels.new()
        self.call(call, name, label, node, back)
        result = Local(name, RESULT)
        if not self.builder.fits(self._result_type(name), self.returns):
            self.builder.error(node, f"{self.function.name} and {name} return different types")
        self.step(
            back,
            node,
            [self._set_result(result, node), SetLocal(result, Const(0)), self.leave_function()],
        )


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _called(node: ast.stmt) -> ast.Call | None:
    value = getattr(node, "value", None)
    simple = isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign)
    return value if simple and isinstance(value, ast.Call) else None


def _breaks(nodes: list[ast.stmt]) -> bool:
    """Does a `break` of this loop stand in these statements?"""
    for node in nodes:
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, ast.If | ast.With):
            if _breaks(node.body) or _breaks(getattr(node, "orelse", [])):
                return True
    return False


__all__ = ["LOOP_BREAK", "RESULT", "RETURN_SITE", "AtomicCall", "Labels", "compile_step_function"]

# SPDX-License-Identifier: GPL-2.0-only
"""Step functions: every source line becomes a step with a label.

Control flow is explicit: each statement is compiled with the label it starts at and the
label that follows.  Steps that only jump are threaded away afterwards (lang/control.py).
"""

from __future__ import annotations

import ast
from collections import deque

from faultlock.lang.block import RETURN, BlockCompiler
from faultlock.lang.emitter import StepEmitter
from faultlock.lang.fold import binary, unary
from faultlock.lang.labels import RESULT, RETURN_SITE, Labels
from faultlock.lang.program import (
    Const,
    Expr,
    If,
    Jump,
    Local,
    NoneType,
    SetLocal,
    StepFunction,
    Stmt,
)
from faultlock.lang.source import FunctionSource
from faultlock.lang.symbols import INT
from faultlock.lang.wording import text_of


def compile_step_function(labels: Labels, function: FunctionSource) -> None:
    """Compile one function into `labels`."""
    FunctionCompiler(labels, function).compile()


class FunctionCompiler(StepEmitter):
    """Compiles the control flow of one step function."""

    # ---- the function ------------------------------------------------------------------

    def compile(self) -> None:
        node, name = self.function.node, self.function.name
        parameters = self.block.declare_parameters()
        self._refuse_shared_lines()
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

    def _refuse_shared_lines(self) -> None:
        """A line is a step: `a; b` and `if a: b` hide one."""
        lines: set[int] = set()
        todo: deque[ast.AST] = deque(self.function.node.body)
        while todo:
            node = todo.popleft()
            if isinstance(node, ast.stmt):
                if node.lineno in lines:
                    what = "two statements on one line"
                    self.builder.error(node, what, "give each its own: a line is a step")
                lines.add(node.lineno)
            if not isinstance(node, ast.With):  # its body is one step
                todo += ast.iter_child_nodes(node)

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
        self.block.counting.append(variable.name)
        self.statements(node.body, body, advance)
        self.block.counting.pop()
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
        block = BlockCompiler(
            builder, not self.labels.statistics, self._leave, counting=self.block.counting
        )
        body = block.block(node.body)
        builder.atomic = False
        builder.accesses.clear()
        self.step(
            label,
            node,
            [*body, *([] if block.ends else [Jump(following)])],
            text="with atomic: " + text_of(node.body[0]).split("\n")[0]
            + ("; ..." if len(node.body) > 1 else ""),
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
        inside = (
            [*node.body, *getattr(node, "orelse", [])]
            if isinstance(node, ast.If | ast.With)
            else []
        )
        if _breaks(inside):
            return True
    return False

# SPDX-License-Identifier: GPL-2.0-only
"""Statements that run within one step: atomic functions and `with atomic` blocks."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from faultlock.lang.assign import LOOP_VARIABLE, WORDS, AssignmentCompiler
from faultlock.lang.fold import binary
from faultlock.lang.operators import describe_type
from faultlock.lang.program import (
    Assert,
    Assertion,
    Break,
    Const,
    Continue,
    Emit,
    Evaluate,
    Expr,
    Free,
    If,
    IntType,
    Local,
    NoneType,
    RefType,
    Return,
    SetLocal,
    Stmt,
    Type,
    While,
)
from faultlock.lang.symbols import INT
from faultlock.lang.wording import called, cure_for, text_of

RETURN, LOOP_BREAK, LOOP_CONTINUE = "return", "break", "continue"


@dataclass
class BlockCompiler(AssignmentCompiler):
    """Compiles statements that belong to one step.

    `leave` compiles a return/break/continue that leaves the step (step functions only).
    """

    drop_statistics: bool = False
    leave: Callable[[str, ast.stmt], list[Stmt]] | None = None
    loop_depth: int = 0
    ends: bool = field(default=False)

    # ---- one statement -----------------------------------------------------------------

    def block(self, nodes: list[ast.stmt]) -> list[Stmt]:
        """Compile a list of statements; sets `ends` when control never gets past it."""
        result: list[Stmt] = []
        self.ends = False
        for node in nodes:
            if self.ends:
                self.builder.error(node, "unreachable code", "remove it")
                break
            result += self.statement(node)
        return result

    def statement(self, node: ast.stmt) -> list[Stmt]:
        """Compile one statement."""
        match node:
            case ast.Pass():
                return []
            case ast.Expr(value=ast.Constant(value=str())):
                return []
            case ast.Expr(value=ast.Call() as call):
                return self.call_statement(call)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                return self.assignment(node)
            case ast.If():
                return self._if(node)
            case ast.While():
                return self._while(node)
            case ast.For():
                return self._for(node)
            case ast.Assert():
                return self.assertion(node)
            case ast.Return():
                return self._return(node)
            case ast.Break():
                return self._loop_exit(node, LOOP_BREAK)
            case ast.Continue():
                return self._loop_exit(node, LOOP_CONTINUE)
            case ast.With() if self.leave is None:
                self.builder.error(
                    node, "an atomic function is one step already", "drop `with atomic`"
                )
                return []
        self.builder.error(
            node,
            f"{called(node)} is not a statement of the language",
            cure_for(node),
        )
        return []

    def call_statement(self, call: ast.Call) -> list[Stmt]:
        """A call for its effect: atomic function, free, emit."""
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == "free":
            return self._free(call)
        if name == "emit":
            return self._emit(call)
        if name in WORDS:
            self.builder.error(
                call,
                f"{name} cannot stand inside an atomic step",
                "put it on a line of its own in a step function",
            )
            return []
        expression, _ = self.builder.build(call)
        return [Evaluate(expression)]

    def _free(self, call: ast.Call) -> list[Stmt]:
        if len(call.args) != 1:
            self.builder.error(call, "free takes one reference", "free(folio)")
            return []
        reference, kind = self.builder.build(call.args[0])
        if not isinstance(kind, RefType):
            self.builder.error(call, f"free takes a reference, this is {describe_type(kind)}")
            return []
        self.builder.accesses.append("free()")
        number = self.builder.runtime_error("free", f"{text_of(call)}: not allocated", call)
        return [Free(kind.struct, reference, number)]

    def _emit(self, call: ast.Call) -> list[Stmt]:
        first = call.args[0] if call.args else None
        if (
            not (isinstance(first, ast.Constant) and isinstance(first.value, str))
            or len(call.args) > 4
        ):
            self.builder.error(
                call, "emit takes a name and at most three values", 'emit("EVENT", a, b)'
            )
            return []
        count = len(self.builder.accesses)
        values = tuple(self.builder.build(value)[0] for value in call.args[1:])
        if self.drop_statistics:
            del self.builder.accesses[count:]
            return []
        return [Emit(self.builder.symbols.number(self.builder.symbols.events, first.value), values)]

    def assertion(self, node: ast.Assert) -> list[Stmt]:
        """assert condition, "S2 text" -> an event property; [] when it is ignored."""
        text = node.msg.value if isinstance(node.msg, ast.Constant) else None
        if not isinstance(text, str) or not text:
            self.builder.error(
                node, "assert without a property", 'write assert condition, "S2 what must hold"'
            )
            text = "assert"
        test = self.builder.test(node.test)
        name = text.split()[0].rstrip(":")
        if name in self.builder.symbols.ignored:
            return []
        table = self.builder.symbols.assertions
        table.append(Assertion(name, text, self.builder.function.source.path, node.lineno))
        return [Assert(test, len(table))]

    # ---- control within the step -------------------------------------------------------

    def _if(self, node: ast.If) -> list[Stmt]:
        test = self.builder.test(node.test)
        then = self.block(node.body)
        then_ends = self.ends
        otherwise = self.block(node.orelse)
        self.ends = then_ends and self.ends and bool(node.orelse)
        if isinstance(test, Const):
            return then if test.value else otherwise
        return [If(test, tuple(then), tuple(otherwise))]

    def _while(self, node: ast.While) -> list[Stmt]:
        forever = isinstance(node.test, ast.Constant) and node.test.value is True
        return [self._loop(self.builder.test(node.test), [], node, forever)]

    def _loop(
        self, test: Expr, first: list[Stmt], node: ast.While | ast.For, forever: bool
    ) -> Stmt:
        if node.orelse:
            self.builder.error(node, "else of a loop is not in the language", "use a flag")
        number = self.builder.runtime_error("loop", "a loop inside one step does not end", node)
        self.loop_depth += 1
        body = first + self.block(node.body)
        self.loop_depth -= 1
        has_break = any(isinstance(item, ast.Break) for item in ast.walk(node))
        self.ends = forever and not has_break
        return While(test, tuple(body), number)

    def _for(self, node: ast.For) -> list[Stmt]:
        bounds = self.for_bounds(node)
        if bounds is None:
            return []
        variable, start, stop, statements = bounds
        advance = SetLocal(variable, binary("+", variable, Const(1)))
        self.counting.append(variable.name)
        loop = self._loop(
            binary("<", binary("+", variable, Const(1)), stop), [advance], node, False
        )
        self.counting.pop()
        return [*statements, SetLocal(variable, binary("-", start, Const(1))), loop]

    def for_bounds(self, node: ast.For) -> tuple[Local, Expr, Expr, list[Stmt]] | None:
        """Variable, first value, end and statements that save a bound which may change."""
        builder = self.builder
        call = node.iter
        name = (
            call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
        )
        if not isinstance(node.target, ast.Name) or name not in ("range", "each"):
            builder.error(
                node, "a loop goes over range(first, end) or each(Struct)", "for i in range(0, n)"
            )
            return None
        assert isinstance(call, ast.Call)
        variable = Local(builder.function.name, node.target.id)
        if name == "each":
            struct_name = (
                call.args[0].id if call.args and isinstance(call.args[0], ast.Name) else ""
            )
            struct = builder.symbols.structs.get(struct_name)
            if struct is None:
                builder.error(node, "each takes the name of a struct", "for vma in each(VMA)")
                return None
            self._declare_loop_variable(node.target, RefType(struct_name))
            return variable, Const(1), binary("+", struct.count, Const(1)), []
        if not 1 <= len(call.args) <= 2:
            builder.error(node, "range takes one or two values", "for i in range(first, end)")
            return None
        values = [builder.value_for(item, INT, "a bound") for item in call.args]
        start, stop = (Const(0), values[0]) if len(values) == 1 else (values[0], values[1])
        kind = INT
        if isinstance(start, Const) and isinstance(stop, Const):
            kind = IntType(
                Const(min(start.value - 1, 0)), Const(max(stop.value, 0)), LOOP_VARIABLE
            )
        self._declare_loop_variable(node.target, kind)
        statements: list[Stmt] = []
        if not _is_constant(stop):
            end = Local(builder.function.name, f"end of {node.target.id} line {node.lineno}")
            builder.locals[end.name] = INT
            statements.append(SetLocal(end, stop))
            stop = end
        return variable, start, stop, statements

    def _declare_loop_variable(self, target: ast.Name, kind: Type) -> None:
        if target.id in self.counting:
            self.reuse(target.id, target)
        known = self.builder.locals.get(target.id)
        if known is not None and isinstance(known, IntType) and isinstance(kind, IntType):
            if known != kind:
                self.builder.locals[target.id] = INT  # two loops share the variable
        elif known is not None and known != kind:
            self.builder.error(target, f"{target.id} has two types", "use another name")
        elif target.id not in self.builder.locals:
            self.declare(target, kind)

    def _return(self, node: ast.Return) -> list[Stmt]:
        self.ends = True
        if self.leave is not None:
            return self.leave(RETURN, node)
        return [Return(self.return_value(node))]

    def return_value(self, node: ast.Return) -> Expr | None:
        """The value of a return statement, checked against the function's type."""
        function = self.builder.function
        kind = self.builder.symbols.type_of(function.node.returns, function.source)
        if node.value is None:
            if not isinstance(kind, NoneType):
                self.builder.error(
                    node, f"{function.name} returns {describe_type(kind)}", "return a value"
                )
            return None
        if isinstance(kind, NoneType):
            self.builder.error(node, f"{function.name} returns nothing", "declare -> type")
            return None
        return self.builder.value_for(node.value, kind, f"the result of {function.name}")

    def _loop_exit(self, node: ast.stmt, what: str) -> list[Stmt]:
        self.ends = True
        if self.loop_depth:
            return [Break() if what == LOOP_BREAK else Continue()]
        if self.leave is None:
            self.builder.error(node, f"{what} outside a loop", "remove it")
            return []
        return self.leave(what, node)


def _is_constant(expression: Expr) -> bool:
    from faultlock.lang.program import Binary, Param, Unary

    match expression:
        case Const() | Param():
            return True
        case Unary(_, operand):
            return _is_constant(operand)
        case Binary(_, left, right):
            return _is_constant(left) and _is_constant(right)
    return False

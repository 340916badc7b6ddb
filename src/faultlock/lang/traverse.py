# SPDX-License-Identifier: GPL-2.0-only
"""Walks over statements and expressions of a Program, and over its call graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from faultlock.lang import program as ir


def subexpressions(expression: ir.Expr) -> Iterator[ir.Expr]:
    """The expression and everything inside it."""
    yield expression
    match expression:
        case ir.LoadField(reference=reference, index=index):
            yield from subexpressions(reference)
            if index is not None:
                yield from subexpressions(index)
        case ir.OwnRef(reference=reference):
            yield from subexpressions(reference)
        case ir.Unary(operand=operand):
            yield from subexpressions(operand)
        case ir.Binary(left=left, right=right) | ir.Logical(left=left, right=right):
            yield from subexpressions(left)
            yield from subexpressions(right)
        case ir.Conditional(test, then, otherwise):
            for part in (test, then, otherwise):
                yield from subexpressions(part)
        case ir.AtomicCall(arguments=arguments):
            for argument in arguments:
                yield from subexpressions(argument)


def statements(body: Iterable[ir.Stmt]) -> Iterator[ir.Stmt]:
    """Every statement, the nested ones after the one that holds them."""
    for statement in body:
        yield statement
        match statement:
            case ir.If(then=then, otherwise=otherwise):
                yield from statements(then)
                yield from statements(otherwise)
            case ir.While(body=inner):
                yield from statements(inner)


def expressions_of(statement: ir.Stmt) -> Iterator[ir.Expr]:
    """The expressions that a statement itself evaluates, outermost first (not nested bodies)."""
    match statement:
        case ir.SetLocal(value=value) | ir.Evaluate(value=value):
            yield value
        case ir.SetField(reference=reference, index=index, value=value):
            yield reference
            if index is not None:
                yield index
            yield value
        case ir.If(test=test) | ir.While(test=test) | ir.Assert(test=test):
            yield test
        case ir.Free(reference=reference):
            yield reference
        case ir.Emit(arguments=arguments):
            yield from arguments
        case ir.Return(value=value):
            if value is not None:
                yield value


def expressions_in(body: Iterable[ir.Stmt]) -> Iterator[ir.Expr]:
    """Every expression and subexpression in a body."""
    for statement in statements(body):
        for expression in expressions_of(statement):
            yield from subexpressions(expression)


def assigned_locals(body: Iterable[ir.Stmt]) -> set[ir.Local]:
    """The locals that a body sets."""
    return {
        statement.target
        for statement in statements(body)
        if isinstance(statement, (ir.SetLocal, ir.Alloc))
    }


def step_expressions(step: ir.Step) -> Iterator[ir.Expr]:
    """Every expression and subexpression of a step: guard, amounts and body."""
    reason = step.reason[1] if step.reason is not None else None
    for expression in (step.guard, step.low, step.high, step.amount, step.target, reason):
        if expression is not None:
            yield from subexpressions(expression)
    yield from expressions_in(step.body)


def locals_of_step(step: ir.Step) -> list[tuple[str, str]]:
    """(function, name) of every local that a step reads or sets, in order, once each."""
    found: dict[tuple[str, str], None] = {}
    for expression in step_expressions(step):
        if isinstance(expression, ir.Local):
            found[expression.function, expression.name] = None
    for local in sorted(assigned_locals(step.body), key=lambda each: (each.function, each.name)):
        found[local.function, local.name] = None
    return list(found)


def reachable(functions: Mapping[str, ir.StepFunction], entry: str) -> list[str]:
    """The step functions that `entry` can reach by calls, itself first."""
    seen = {entry: None}
    waiting = [entry]
    while waiting:
        for callee in functions[waiting.pop()].calls:
            if callee not in seen:
                seen[callee] = None
                waiting.append(callee)
    return list(seen)


def call_order(functions: Mapping[str, ir.StepFunction]) -> list[str]:
    """Step functions, every caller before its callees (the front end refuses recursion)."""
    order: list[str] = []
    state: dict[str, bool] = {}  # True: finished

    def visit(name: str) -> None:
        if name in state:
            if not state[name]:
                raise ValueError(f"step function {name} calls itself")
            return
        state[name] = False
        for callee in functions[name].calls:
            visit(callee)
        state[name] = True
        order.append(name)

    for name in functions:
        visit(name)
    return order[::-1]


def atomic_callees(body: Iterable[ir.Stmt]) -> list[str]:
    """The atomic functions that a body calls, once each, in order."""
    calls = (e.function for e in expressions_in(body) if isinstance(e, ir.AtomicCall))
    return list(dict.fromkeys(calls))

# SPDX-License-Identifier: GPL-2.0-only
"""Walking and rewriting IR trees; used by every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from faultlock.lang.program import (
    Alloc,
    Assert,
    AtomicCall,
    Binary,
    Conditional,
    Emit,
    Evaluate,
    Expr,
    Finish,
    Free,
    If,
    Jump,
    LoadField,
    Logical,
    OwnRef,
    Return,
    ReturnJump,
    SetField,
    SetLocal,
    Step,
    Stmt,
    Unary,
    While,
)


def parts(expression: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression."""
    match expression:
        case LoadField(reference=reference, index=index):
            return (reference,) if index is None else (reference, index)
        case OwnRef(reference=reference):
            return (reference,)
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right) | Logical(left=left, right=right):
            return (left, right)
        case Conditional(test, then, otherwise):
            return (test, then, otherwise)
        case AtomicCall(arguments=arguments):
            return arguments
    return ()


def walk(expression: Expr) -> Iterator[Expr]:
    """The expression and everything in it."""
    yield expression
    for part in parts(expression):
        yield from walk(part)


def statement_expressions(statement: Stmt) -> tuple[Expr, ...]:
    """The expressions a statement evaluates itself (not those of nested statements)."""
    match statement:
        case SetLocal(value=value) | Evaluate(value=value):
            return (value,)
        case SetField(reference=reference, index=index, value=value):
            return (reference, value) if index is None else (reference, index, value)
        case If(test=test) | While(test=test) | Assert(test=test):
            return (test,)
        case Free(reference=reference):
            return (reference,)
        case Emit(arguments=arguments):
            return arguments
        case Return(value=value) if value is not None:
            return (value,)
    return ()


def nested(statement: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The statement lists inside a statement."""
    match statement:
        case If(then=then, otherwise=otherwise):
            return (then, otherwise)
        case While(body=body):
            return (body,)
    return ()


def statements(body: Iterable[Stmt]) -> Iterator[Stmt]:
    """All statements, nested ones included, in order."""
    for statement in body:
        yield statement
        for inner in nested(statement):
            yield from statements(inner)


def expressions(body: Iterable[Stmt]) -> Iterator[Expr]:
    """All expressions in a statement list, operands included."""
    for statement in statements(body):
        for expression in statement_expressions(statement):
            yield from walk(expression)


def step_expressions(step: Step) -> Iterator[Expr]:
    """All expressions of a step: guard, bounds, amount, reason and body."""
    heads = [step.guard, step.low, step.high, step.amount, step.reason[1] if step.reason else None]
    for head in heads:
        if head is not None:
            yield from walk(head)
    yield from expressions(step.body)


def map_ends(body: Iterable[Stmt], change: Callable[[Stmt], list[Stmt]]) -> list[Stmt]:
    """Replace every Jump, ReturnJump and Finish by what `change` gives."""
    result: list[Stmt] = []
    for statement in body:
        match statement:
            case Jump() | ReturnJump() | Finish():
                result += change(statement)
            case If(then=then, otherwise=otherwise):
                result.append(
                    replace(
                        statement,
                        then=tuple(map_ends(then, change)),
                        otherwise=tuple(map_ends(otherwise, change)),
                    )
                )
            case While(body=inner):
                result.append(replace(statement, body=tuple(map_ends(inner, change))))
            case _:
                result.append(statement)
    return result


def jump_targets(step: Step) -> list[int]:
    """The labels a step can jump to (calls: the entry of the callee)."""
    return [item.label for item in statements(step.body) if isinstance(item, Jump)]


__all__ = [
    "Alloc",
    "expressions",
    "jump_targets",
    "map_ends",
    "nested",
    "parts",
    "statement_expressions",
    "statements",
    "step_expressions",
    "walk",
]

# SPDX-License-Identifier: GPL-2.0-only
"""Operators, comparisons and conditions: the part of expressions that touches no state."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from faultlock.lang.fold import binary, logical, unary
from faultlock.lang.program import (
    BoolType,
    Conditional,
    Const,
    Expr,
    IntType,
    NoneType,
    RefType,
    Type,
)
from faultlock.lang.source import FunctionSource
from faultlock.lang.symbols import BOOL, INT, OPERATORS, Symbols
from faultlock.lang.wording import called, cure_for


def describe_type(kind: Type) -> str:
    """A type as the user wrote it."""
    match kind:
        case IntType(name=name):
            return name
        case BoolType():
            return "bool"
        case RefType(struct):
            return struct
    return "None"


@dataclass
class OperatorBuilder:
    """Builds expressions of one function; leaves, fields and calls are in the subclass."""

    symbols: Symbols
    function: FunctionSource
    atomic: bool
    locals: dict[str, Type] = field(default_factory=dict)
    accesses: list[str] = field(default_factory=list)
    may_call: bool = True

    def error(self, node: ast.AST, what: str, cure: str = "") -> None:
        """Record a refusal in this function's file."""
        self.symbols.space.error(self.function.source, node, what, cure)

    def runtime_error(self, kind: str, text: str, node: ast.AST) -> int:
        """Number of an error that only a run can show."""
        return self.symbols.error_number(kind, text, self.function.source, node)

    # ---- entry points ------------------------------------------------------------------

    def build(self, node: ast.expr) -> tuple[Expr, Type]:
        """IR and type of any expression."""
        method = getattr(self, f"_build_{type(node).__name__.lower()}", None)
        if method is None:
            self.error(
                node,
                f"{called(node)} is not an expression of the language",
                cure_for(node),
            )
            return Const(0), INT
        result: tuple[Expr, Type] = method(node)
        return result

    def test(self, node: ast.expr) -> Expr:
        """IR of a condition: a bool, or an int or reference compared with 0 / None."""
        expression, kind = self.build(node)
        if isinstance(kind, NoneType):
            self.error(node, "None is not a condition", "compare something with None")
        return expression if isinstance(kind, BoolType) else binary("!=", expression, Const(0))

    def value_for(self, node: ast.expr, target: Type, what: str) -> Expr:
        """IR of an expression that is stored in something of type `target`."""
        expression, kind = self.build(node)
        if not self.fits(kind, target):
            self.error(
                node,
                f"{what} is {describe_type(target)}, this is {describe_type(kind)}",
                "convert it, or change the type",
            )
        return expression

    @staticmethod
    def fits(kind: Type, target: Type) -> bool:
        """Can a value of `kind` be stored in `target` (ranges aside)?"""
        if isinstance(target, RefType):
            return isinstance(kind, NoneType) or kind == target
        if isinstance(target, IntType):
            return isinstance(kind, IntType)
        return isinstance(kind, type(target))

    # ---- operators ---------------------------------------------------------------------

    def _build_binop(self, node: ast.BinOp) -> tuple[Expr, Type]:
        operator = OPERATORS.get(type(node.op))
        left, left_type = self.build(node.left)
        right, right_type = self.build(node.right)
        if operator is None:
            self.error(
                node,
                f"operator {called(node.op)} is not in the language",
                "+ - * // % << >> & | ^",
            )
            return Const(0), INT
        for side, kind in ((node.left, left_type), (node.right, right_type)):
            if not isinstance(kind, IntType):
                self.error(side, f"{operator} takes integers, this is {describe_type(kind)}")
        both_flags = (
            isinstance(left_type, IntType) and isinstance(right_type, IntType) and operator in "&|^"
        )
        named = left_type if both_flags and left_type.name != "int" else right_type  # type: ignore[union-attr]
        return binary(operator, left, right), named if both_flags else INT

    def _build_unaryop(self, node: ast.UnaryOp) -> tuple[Expr, Type]:
        if isinstance(node.op, ast.Not):
            return unary("not", self.test(node.operand)), BOOL
        operand, kind = self.build(node.operand)
        if not isinstance(kind, IntType):
            self.error(node, f"an integer is needed, this is {describe_type(kind)}")
        if isinstance(node.op, ast.UAdd):
            return operand, INT
        return unary("-" if isinstance(node.op, ast.USub) else "~", operand), INT

    def _build_boolop(self, node: ast.BoolOp) -> tuple[Expr, Type]:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        result = self.test(node.values[0])
        for value in node.values[1:]:
            result = logical(operator, result, self.test(value))
        return result, BOOL

    def _build_compare(self, node: ast.Compare) -> tuple[Expr, Type]:
        if len(node.ops) != 1:
            self.error(node, "chained comparison", "write a < b and b < c")
        operator = OPERATORS.get(type(node.ops[0]))
        if operator is None:
            self.error(
                node,
                f"`{called(node.ops[0])}` is not a comparison of the language",
                "== != < <= > >= is, is not",
            )
            return Const(0), BOOL
        left, left_type = self.build(node.left)
        right, right_type = self.build(node.comparators[0])
        if not (self.fits(left_type, right_type) or self.fits(right_type, left_type)):
            self.error(
                node,
                f"{describe_type(left_type)} is compared with {describe_type(right_type)}",
                "compare values of one type",
            )
        elif operator not in ("==", "!=") and not isinstance(left_type, IntType):
            self.error(node, f"{describe_type(left_type)} has no order", "use == or !=")
        return binary(operator, left, right), BOOL

    def _build_ifexp(self, node: ast.IfExp) -> tuple[Expr, Type]:
        test = self.test(node.test)
        then, then_type = self.build(node.body)
        otherwise, else_type = self.build(node.orelse)
        if not (self.fits(else_type, then_type) or self.fits(then_type, else_type)):
            self.error(
                node,
                f"one side is {describe_type(then_type)}, the other {describe_type(else_type)}",
            )
        kind = else_type if isinstance(then_type, NoneType) else then_type
        if isinstance(test, Const):
            return (then if test.value else otherwise), kind
        return Conditional(test, then, otherwise), kind

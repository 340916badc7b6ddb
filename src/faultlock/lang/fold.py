# SPDX-License-Identifier: GPL-2.0-only
"""Constant arithmetic: the one meaning of every operator (64-bit two's complement)."""

from __future__ import annotations

from collections.abc import Mapping

from faultlock.lang.program import Binary, Const, Expr, Logical, Param, Unary


def wrap(value: int) -> int:
    """The 64-bit two's complement value of an integer."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def apply_binary(operator: str, left: int, right: int) -> int:
    """The value of `left operator right`; x // 0 == x % 0 == 0, odd shifts give 0."""
    if operator in ("//", "%"):
        if right == 0:
            return 0
        return wrap(left // right) if operator == "//" else wrap(left % right)
    if operator in ("<<", ">>"):
        if not 0 <= right <= 63:
            return 0
        return wrap(left << right) if operator == "<<" else left >> right
    simple = {
        "+": lambda: wrap(left + right),
        "-": lambda: wrap(left - right),
        "*": lambda: wrap(left * right),
        "&": lambda: left & right,
        "|": lambda: left | right,
        "^": lambda: left ^ right,
        "==": lambda: int(left == right),
        "!=": lambda: int(left != right),
        "<": lambda: int(left < right),
        "<=": lambda: int(left <= right),
        ">": lambda: int(left > right),
        ">=": lambda: int(left >= right),
        "min": lambda: min(left, right),
        "max": lambda: max(left, right),
    }
    return simple[operator]()


def apply_unary(operator: str, value: int) -> int:
    """The value of `-x`, `~x` or `not x`."""
    if operator == "-":
        return wrap(-value)
    return wrap(~value) if operator == "~" else int(not value)


def binary(operator: str, left: Expr, right: Expr) -> Expr:
    """A Binary node, folded when both sides are constants."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(apply_binary(operator, left.value, right.value))
    return Binary(operator, left, right)


def unary(operator: str, operand: Expr) -> Expr:
    """A Unary node, folded when the operand is a constant."""
    if isinstance(operand, Const):
        return Const(apply_unary(operator, operand.value))
    return Unary(operator, operand)


def constant_value(expression: Expr, parameters: Mapping[str, int]) -> int:
    """The value of a constant expression when the parameters have these values.

    Raises TypeError for an expression that is not constant.
    """
    match expression:
        case Const(value):
            return value
        case Param(name):
            return parameters[name]
        case Unary(operator, operand):
            return apply_unary(operator, constant_value(operand, parameters))
        case Binary(operator, left, right):
            return apply_binary(
                operator, constant_value(left, parameters), constant_value(right, parameters)
            )
    raise TypeError(f"not a constant expression: {expression}")


def logical(operator: str, left: Expr, right: Expr) -> Expr:
    """A Logical node, folded when the left side decides (both sides are 0 or 1)."""
    if isinstance(left, Const):
        if operator == "and":
            return right if left.value else Const(0)
        return Const(1) if left.value else right
    return Logical(operator, left, right)

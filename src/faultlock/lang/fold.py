# SPDX-License-Identifier: GPL-2.0-only
"""Making operator nodes; what is constant is worked out at once (lang/constants.py)."""

from __future__ import annotations

from faultlock.lang.constants import BINARY, UNARY
from faultlock.lang.program import Binary, Const, Expr, Logical, Unary


def binary(operator: str, left: Expr, right: Expr) -> Expr:
    """A Binary node, folded when both sides are constants."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(BINARY[operator](left.value, right.value))
    return Binary(operator, left, right)


def unary(operator: str, operand: Expr) -> Expr:
    """A Unary node, folded when the operand is a constant."""
    if isinstance(operand, Const):
        return Const(UNARY[operator](operand.value))
    return Unary(operator, operand)


def logical(operator: str, left: Expr, right: Expr) -> Expr:
    """A Logical node, folded when the left side decides (both sides are 0 or 1)."""
    if isinstance(left, Const):
        if operator == "and":
            return right if left.value else Const(0)
        return Const(1) if left.value else right
    return Logical(operator, left, right)

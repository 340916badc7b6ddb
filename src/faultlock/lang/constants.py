# SPDX-License-Identifier: GPL-2.0-only
"""Integer arithmetic of the language, and constant expressions over parameters.

Every number is a 64-bit two's complement integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultlock.lang import program as ir

MINIMUM = -(1 << 63)
MAXIMUM = (1 << 63) - 1


def wrap(value: int) -> int:
    """`value` modulo 2**64, as a signed number."""
    if MINIMUM <= value <= MAXIMUM:
        return value
    return ((value - MINIMUM) & ((1 << 64) - 1)) + MINIMUM


def floor_divide(left: int, right: int) -> int:
    """Division that rounds towards minus infinity; 0 when `right` is 0."""
    return wrap(left // right) if right else 0


def modulo(left: int, right: int) -> int:
    """Remainder of floor division: has the sign of `right`; 0 when `right` is 0."""
    return left % right if right else 0


def shift_left(left: int, right: int) -> int:
    """`left << right` modulo 2**64; 0 when the count is not 0 .. 63."""
    return wrap(left << right) if 0 <= right <= 63 else 0


def shift_right(left: int, right: int) -> int:
    """Arithmetic `left >> right`; 0 when the count is not 0 .. 63."""
    return left >> right if 0 <= right <= 63 else 0


BINARY: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: wrap(a + b),
    "-": lambda a, b: wrap(a - b),
    "*": lambda a, b: wrap(a * b),
    "//": floor_divide,
    "%": modulo,
    "<<": shift_left,
    ">>": shift_right,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "min": min,
    "max": max,
}

UNARY: dict[str, Callable[[int], int]] = {
    "-": lambda a: wrap(-a),
    "~": lambda a: ~a,
    "not": lambda a: int(a == 0),
}


def evaluate_constant(expression: ir.Expr, parameters: Mapping[str, int]) -> int:
    """The value of an expression of constants and parameters.

    Raises ValueError when it reads state, KeyError when a parameter has no value.
    """
    match expression:
        case ir.Const(value):
            return value
        case ir.Param(name):
            return parameters[name]
        case ir.Unary(operator, operand):
            return UNARY[operator](evaluate_constant(operand, parameters))
        case ir.Binary(operator, left, right):
            a, b = (evaluate_constant(side, parameters) for side in (left, right))
            return BINARY[operator](a, b)
        case ir.Logical(operator, left, right):
            first = evaluate_constant(left, parameters) != 0
            if first == (operator == "or"):
                return int(first)
            return int(evaluate_constant(right, parameters) != 0)
        case ir.Conditional(test, then, otherwise):
            chosen = then if evaluate_constant(test, parameters) else otherwise
            return evaluate_constant(chosen, parameters)
    raise ValueError(f"not a constant expression: {expression}")

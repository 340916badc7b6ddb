# SPDX-License-Identifier: GPL-2.0-only
"""Rewriting the ends of steps, for the passes on control flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from faultlock.lang.program import Finish, If, Jump, ReturnJump, Step, Stmt, While
from faultlock.lang.traverse import statements


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

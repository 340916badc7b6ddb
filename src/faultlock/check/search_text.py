# SPDX-License-Identifier: GPL-2.0-only
"""The checker's compiled functions as LLVM IR: they may also call intrinsics.py."""

from __future__ import annotations

import ast

from faultlock.check.intrinsics import DECLARATIONS, Intrinsic, intrinsics
from faultlock.translate.operands import Value
from faultlock.translate.source import resolve
from faultlock.translate.statements import FunctionWriter


class SearchWriter(FunctionWriter):
    """Translates a function of the checker."""

    declarations = DECLARATIONS + "".join(each.text for each in intrinsics.values())

    def special_call(self, node: ast.Call, name: str) -> Value | None:
        """A call of a function that is written in LLVM IR; None: it is none."""
        callee = resolve(self.function, name)
        if not isinstance(callee, Intrinsic):
            return None
        given = self.operands(node, callee.name, callee.parameters)
        text = f"@{callee.name}({', '.join(f'i64 {each}' for each in given)})"
        if callee.result == "none":
            self.emit(f"call void {text}")
            return Value("none")
        return Value(callee.result, self.define(f"call i64 {text}"))

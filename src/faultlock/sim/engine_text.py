# SPDX-License-Identifier: GPL-2.0-only
"""The engine's functions as LLVM IR: they may also call the model's code (`step`, `run`), abs,
and math.sqrt, log, exp and cos."""

from __future__ import annotations

import ast

from faultlock.translate.operands import Value
from faultlock.translate.statements import FunctionWriter

MATH = ("math.sqrt", "math.log", "math.exp", "math.cos")


class EngineWriter(FunctionWriter):
    """Translates a function of the engine."""

    floats = True
    declarations = """
declare i64 @llvm.abs.i64(i64, i1)
declare double @llvm.fabs.f64(double)
declare double @llvm.sqrt.f64(double)
declare double @llvm.log.f64(double)
declare double @llvm.exp.f64(double)
declare double @llvm.cos.f64(double)
"""

    def special_call(self, node: ast.Call, name: str) -> Value | None:
        """A call of the model's code, abs, or a function of math; None: it is none."""
        if self.names.get(name) == "ptr":
            return self.call_model(node, name)
        if name == "abs" or name in MATH:
            return self.arithmetic(node, name)
        return None

    def call_model(self, node: ast.Call, name: str) -> Value:
        """`step` or `run` of the model's code (lang/native.py)."""
        state, thread, choice, out = self.operands(node, name, ["int"] * 4)
        small = self.define(f"trunc i64 {thread} to i32")
        address = self.name(ast.Name(name)).text
        words = f"i64 {state}, i32 {small}, i64 {choice}, i64 {out}"
        code = self.define(f"call i32 {address}({words}) nounwind")
        return Value("int", self.define(f"sext i32 {code} to i64"))

    def arithmetic(self, node: ast.Call, name: str) -> Value:
        """abs of an int or float, and functions of math."""
        self.need_arguments(node, name, 1)
        value = self.value(node.args[0])
        if name == "abs" and value.kind == "int":
            return Value("int", self.define(f"call i64 @llvm.abs.i64(i64 {value.text}, i1 false)"))
        operand = self.as_kind(value, "float", node)
        function = "fabs" if name == "abs" else name.removeprefix("math.")
        return Value("float", self.define(f"call double @llvm.{function}.f64(double {operand})"))

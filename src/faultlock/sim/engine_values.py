# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of the engine's functions as LLVM IR."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from faultlock.sim.compiled import CompiledFunction, resolve
from faultlock.sim.engine_arrays import ArrayWriter, Value
from faultlock.sim.engine_text import TYPES, signature_of

INT_OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr",
}  # fmt: skip
FLOAT_OPERATORS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
COMPARISONS = {
    ast.Eq: ("eq", "oeq"), ast.NotEq: ("ne", "une"), ast.Lt: ("slt", "olt"),
    ast.LtE: ("sle", "ole"), ast.Gt: ("sgt", "ogt"), ast.GtE: ("sge", "oge"),
}  # fmt: skip
NUMBER_TYPES = {
    "np.int64": "int", "np.int32": "int", "int": "int", "np.float64": "float", "float": "float",
    "np.uint64": "word",
}  # fmt: skip


class ValueWriter(ArrayWriter):
    """Writes expressions; the statements are in engine_function.py."""

    # ---- values

    def value(self, node: ast.expr) -> Value:
        """A number or truth value."""
        match node:
            case ast.Constant() | ast.Attribute():
                return self.constant(node)
            case ast.Name():
                return self.name(node)
            case ast.Subscript():
                return self.load(node)
            case ast.BinOp():
                return self.binary(node, self.value(node.left), node.op, self.value(node.right))
            case ast.UnaryOp():
                return self.unary(node)
            case ast.Compare() | ast.BoolOp():
                return self.truth(node, strict=True)
            case ast.IfExp():
                return self.choice(node)
            case ast.Call():
                return self.call(node)
            case ast.Tuple():
                return Value("tuple", parts=tuple(self.value(each) for each in node.elts))
        raise self.wrong(node)

    def constant(self, node: ast.Constant | ast.Attribute | ast.Name) -> Value:
        """A literal, or a constant of this or another module."""
        found: Any
        if isinstance(node, ast.Constant):
            found = node.value
        else:
            path = ast.unparse(node).split(".")
            try:
                found = resolve(self.function, *path)
            except (KeyError, TypeError):
                raise self.wrong(node) from None
        if isinstance(found, bool | np.bool_):
            return Value("bool", "true" if found else "false")
        if isinstance(found, np.uint64):
            return Value("word", str(int(found)))
        if isinstance(found, int | np.integer):
            return Value("int", str(int(found)))
        if isinstance(found, float):
            return Value("float", f"0x{struct.unpack('<Q', struct.pack('<d', found))[0]:016X}")
        raise self.wrong(node)

    def name(self, node: ast.Name) -> Value:
        kind = self.names.get(node.id)
        if kind is None:
            return self.constant(node)
        return Value(kind, self.define(f"load {TYPES[kind]}, ptr %{node.id}.local"))

    def binary(self, node: ast.AST, left: Value, operator: ast.operator, right: Value) -> Value:
        """left operator right."""
        kinds = {left.kind, right.kind}
        if isinstance(operator, ast.Pow | ast.Div) or "float" in kinds:
            one, two = self.as_kind(left, "float", node), self.as_kind(right, "float", node)
            if isinstance(operator, ast.Pow):
                power = self.define(f"call double @llvm.pow.f64(double {one}, double {two})")
                return Value("float", power)
            if type(operator) not in FLOAT_OPERATORS:
                raise self.wrong(node)
            return Value(
                "float", self.define(f"{FLOAT_OPERATORS[type(operator)]} double {one}, {two}")
            )
        if kinds == {"word"}:
            name = "lshr" if isinstance(operator, ast.RShift) else INT_OPERATORS.get(type(operator))
            if name is None:
                raise self.wrong(node)
            return Value("word", self.define(f"{name} i64 {left.text}, {right.text}"))
        one, two = self.as_kind(left, "int", node), self.as_kind(right, "int", node)
        if isinstance(operator, ast.FloorDiv | ast.Mod):
            helper = "floor_divide" if isinstance(operator, ast.FloorDiv) else "modulo"
            return Value("int", self.define(f"call fastcc i64 @{helper}(i64 {one}, i64 {two})"))
        if type(operator) not in INT_OPERATORS:
            raise self.wrong(node)
        return Value("int", self.define(f"{INT_OPERATORS[type(operator)]} i64 {one}, {two}"))

    def unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value("bool", self.define(f"xor i1 {self.truth(node.operand).text}, true"))
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and value.kind == "float":
            return Value("float", self.define(f"fneg double {value.text}"))
        if isinstance(node.op, ast.USub) and value.kind == "int":
            return Value("int", self.define(f"sub i64 0, {value.text}"))
        raise self.wrong(node)

    # ---- truth values

    def truth(self, node: ast.expr, strict: bool = False) -> Value:
        """A test.  strict: the operands of `and` and `or` are truth values themselves."""
        if isinstance(node, ast.BoolOp):
            tests = [partial(self.truth, each, strict) for each in node.values]
            return self.short_circuit(tests, isinstance(node.op, ast.And))
        if isinstance(node, ast.Compare):
            return self.compare(node)
        value = self.value(node)
        if value.kind == "bool":
            return value
        if strict or value.kind not in ("int", "word"):
            raise self.wrong(node, f"{ast.unparse(node)!r} is no truth value")
        return Value("bool", self.define(f"icmp ne i64 {value.text}, 0"))

    def short_circuit(self, tests: Sequence[Callable[[], Value]], all_of: bool) -> Value:
        """and (all_of) or or: a later test is made only when the earlier ones leave it open."""
        self.count += 1
        place = f"%truth{self.count}"
        self.head.append(f"{place} = alloca i1")
        done = self.label()
        for number, test in enumerate(tests):
            value = test()
            self.emit(f"store i1 {value.text}, ptr {place}")
            if number + 1 < len(tests):
                following = self.label()
                order = (following, done) if all_of else (done, following)
                self.end(f"br i1 {value.text}, label %{order[0]}, label %{order[1]}")
                self.start(following)
        self.end(f"br label %{done}")
        self.start(done)
        return Value("bool", self.define(f"load i1, ptr {place}"))

    def compare(self, node: ast.Compare) -> Value:
        """a < b < c, or a in (b, c)."""
        if isinstance(node.ops[0], ast.In) and isinstance(node.comparators[0], ast.Tuple):
            left = self.value(node.left)

            def equal(option: ast.expr) -> Value:
                return self.one_comparison(node, left, ast.Eq(), self.value(option))

            options = node.comparators[0].elts
            return self.short_circuit([partial(equal, each) for each in options], False)
        operands = [self.value(node.left)]

        def test(operator: ast.cmpop, right: ast.expr) -> Value:
            operands.append(self.value(right))
            return self.one_comparison(node, operands[-2], operator, operands[-1])

        if len(node.ops) == 1:
            return test(node.ops[0], node.comparators[0])
        pairs = zip(node.ops, node.comparators, strict=True)
        return self.short_circuit([partial(test, *pair) for pair in pairs], True)

    def one_comparison(
        self, node: ast.AST, left: Value, operator: ast.cmpop, right: Value
    ) -> Value:
        if type(operator) not in COMPARISONS:
            raise self.wrong(node)
        whole, real = COMPARISONS[type(operator)]
        if "float" in (left.kind, right.kind):
            one, two = self.as_kind(left, "float", node), self.as_kind(right, "float", node)
            return Value("bool", self.define(f"fcmp {real} double {one}, {two}"))
        if left.kind == right.kind == "bool":
            return Value("bool", self.define(f"icmp {whole} i1 {left.text}, {right.text}"))
        one, two = self.as_kind(left, "int", node), self.as_kind(right, "int", node)
        return Value("bool", self.define(f"icmp {whole} i64 {one}, {two}"))

    def choice(self, node: ast.IfExp) -> Value:
        """a if test else b."""
        then, otherwise, done = self.label(), self.label(), self.label()
        self.end(f"br i1 {self.truth(node.test).text}, label %{then}, label %{otherwise}")
        self.count += 1
        place = f"%choice{self.count}"
        kind = ""
        for label, part in ((then, node.body), (otherwise, node.orelse)):
            self.start(label)
            value = self.value(part)
            kind = kind or value.kind
            self.emit(f"store {TYPES[kind]} {self.as_kind(value, kind, part)}, ptr {place}")
            self.end(f"br label %{done}")
        self.head.append(f"{place} = alloca {TYPES[kind]}")
        self.start(done)
        return Value(kind, self.define(f"load {TYPES[kind]}, ptr {place}"))

    # ---- calls

    def call(self, node: ast.Call) -> Value:
        name = ast.unparse(node.func)
        if node.keywords:
            raise self.wrong(node)
        if self.names.get(name) == "step":
            return self.call_model(node, name)
        if name in NUMBER_TYPES and len(node.args) == 1:
            return self.converted(node, NUMBER_TYPES[name])
        if name in ("min", "max", "abs") or name.startswith("math."):
            return self.arithmetic(node, name)
        try:
            callee = resolve(self.function, *name.split("."))
        except (KeyError, TypeError):
            raise self.wrong(node) from None
        if not isinstance(callee, CompiledFunction):
            raise self.wrong(node)
        return self.call_function(node, callee)

    def call_function(self, node: ast.Call, callee: CompiledFunction) -> Value:
        """A call of another function of the engine."""
        signature = signature_of(callee)
        if len(node.args) != len(signature.parameters):
            raise self.wrong(node, f"{callee.name} takes {len(signature.parameters)} arguments")
        operands = [
            f"{TYPES[kind]} {self.as_kind(self.value(each), kind, each)}"
            for each, (_, kind) in zip(node.args, signature.parameters, strict=True)
        ]
        self.callees.append(callee)
        text = f"call fastcc {signature.llvm} @{callee.name}({', '.join(operands)})"
        if signature.result == "none":
            self.emit(text)
            return Value("none")
        result = self.define(text)
        if signature.results is None:
            return Value(signature.result, result)
        parts = tuple(
            Value(kind, self.define(f"extractvalue {signature.llvm} {result}, {number}"))
            for number, kind in enumerate(signature.results)
        )
        return Value("tuple", parts=parts)

    def call_model(self, node: ast.Call, name: str) -> Value:
        """`step` or `run` of the model's code (lang/native.py)."""
        arguments = [self.as_kind(self.value(each), "int", each) for each in node.args]
        if len(arguments) != 4:
            raise self.wrong(node, f"{name} takes 4 arguments")
        state, thread, choice, out = arguments
        small = self.define(f"trunc i64 {thread} to i32")
        address = self.name(ast.Name(name)).text
        words = f"i64 {state}, i32 {small}, i64 {choice}, i64 {out}"
        code = self.define(f"call i32 {address}({words}) nounwind")
        return Value("int", self.define(f"sext i32 {code} to i64"))

    def converted(self, node: ast.Call, kind: str) -> Value:
        """np.int64(x) and the like."""
        value = self.value(node.args[0])
        if (value.kind, kind) == ("float", "int"):
            return Value(kind, self.define(f"fptosi double {value.text} to i64"))
        if (value.kind, kind) == ("word", "float"):
            return Value(kind, self.define(f"uitofp i64 {value.text} to double"))
        if {value.kind, kind} == {"word", "int"}:
            return Value(kind, value.text)
        return Value(kind, self.as_kind(value, kind, node))

    def arithmetic(self, node: ast.Call, name: str) -> Value:
        """min and max of whole numbers, abs, and functions of math."""
        values = [self.value(each) for each in node.args]
        if name in ("min", "max") and len(values) == 2:
            one, two = (self.as_kind(each, "int", node) for each in values)
            return Value("int", self.define(f"call i64 @llvm.s{name}.i64(i64 {one}, i64 {two})"))
        if len(values) != 1 or name not in ("abs", "math.sqrt", "math.log", "math.exp", "math.cos"):
            raise self.wrong(node)
        if name == "abs" and values[0].kind == "int":
            return Value(
                "int", self.define(f"call i64 @llvm.abs.i64(i64 {values[0].text}, i1 false)")
            )
        operand = self.as_kind(values[0], "float", node)
        function = "fabs" if name == "abs" else name.removeprefix("math.")
        return Value("float", self.define(f"call double @llvm.{function}.f64(double {operand})"))

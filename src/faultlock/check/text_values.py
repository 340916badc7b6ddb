# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of compiled functions as LLVM IR."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from faultlock.check.compiled import CompiledFunction
from faultlock.check.intrinsics import Intrinsic
from faultlock.check.text_arrays import ArrayWriter, Value, View, is_literal
from faultlock.check.text_types import TYPES

OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr",
}  # fmt: skip
COMPARISONS = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge",
}  # fmt: skip
CONVERSIONS = {"np.int64": "int", "int": "int", "np.uint64": "word"}


def resolve(function: CompiledFunction, name: str) -> Any:
    """What a global name of a function stands for; None: nothing."""
    return function.globals.get(name)


class ValueWriter(ArrayWriter):
    """Writes expressions; the statements are in text_statements.py."""

    # ---- values

    def value(self, node: ast.expr) -> Value:
        """A number or truth value."""
        match node:
            case ast.Constant():
                return self.constant(node, node.value)
            case ast.Name():
                return self.name(node)
            case ast.Attribute():
                return self.attribute(node)
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

    def constant(self, node: ast.AST, found: Any) -> Value:
        """A literal, or a constant of the module."""
        if isinstance(found, bool | np.bool_):
            return Value("bool", "true" if found else "false")
        if isinstance(found, np.uint64):
            return Value("word", str(int(found)))
        if isinstance(found, int | np.integer):
            return Value("int", str(int(found)))
        raise self.wrong(node)

    def name(self, node: ast.Name) -> Value:
        kind = self.names.get(node.id)
        if kind is None:
            return self.constant(node, resolve(self.function, node.id))
        return Value(kind, self.define(f"load {TYPES[kind]}, ptr %{node.id}.local"))

    def attribute(self, node: ast.Attribute) -> Value:
        """A number of a NamedTuple, or the address of an array: array.ctypes.data."""
        if ast.unparse(node).endswith(".ctypes.data"):
            assert isinstance(node.value, ast.Attribute)
            view = self.view(node.value.value)
            if view is not None:
                return Value("int", self.define(f"ptrtoint ptr {view.base} to i64"))
        found = self.field(node)
        if not isinstance(found, Value):
            raise self.wrong(node)
        return found

    def load(self, node: ast.Subscript) -> Value:
        """An element of an array, or a size: array.shape[0]."""
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            view = self.view(node.value.value)
            if view is not None:
                return Value("int", view.sizes[ast.literal_eval(node.slice)])
        return self.load_element(*self.element(node))

    def binary(self, node: ast.AST, left: Value, operator: ast.operator, right: Value) -> Value:
        """left operator right; with a word both are words."""
        kind = "word" if "word" in (left.kind, right.kind) else "int"
        one, two = self.as_kind(left, kind, node), self.as_kind(right, kind, node)
        if isinstance(operator, ast.FloorDiv | ast.Mod) and kind == "int":
            helper = "floor_divide" if isinstance(operator, ast.FloorDiv) else "modulo"
            return Value("int", self.define(f"call fastcc i64 @{helper}(i64 {one}, i64 {two})"))
        if type(operator) not in OPERATORS:
            raise self.wrong(node)
        name = OPERATORS[type(operator)]
        if kind == "word" and name == "ashr":
            name = "lshr"
        if is_literal(one) and is_literal(two) and name in ("add", "sub", "mul", "shl"):
            folded = {"add": int(one) + int(two), "sub": int(one) - int(two),
                      "mul": int(one) * int(two), "shl": int(one) << min(int(two) & 63, 63)}[name]
            if abs(folded) < 1 << 63:
                return Value(kind, str(folded))
        return Value(kind, self.define(f"{name} i64 {one}, {two}"))

    def unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return Value("bool", self.define(f"xor i1 {self.truth(node.operand).text}, true"))
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and value.kind == "int":
            return self.binary(node, Value("int", "0"), ast.Sub(), value)
        if isinstance(node.op, ast.Invert) and value.kind in ("int", "word"):
            return Value(value.kind, self.define(f"xor i64 {value.text}, -1"))
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

    def one_comparison(self, node: ast.AST, left: Value, operator: ast.cmpop,
                       right: Value) -> Value:
        name = COMPARISONS.get(type(operator))
        if name is None:
            raise self.wrong(node)
        if left.kind == right.kind == "bool":
            return Value("bool", self.define(f"icmp {name} i1 {left.text}, {right.text}"))
        if {left.kind, right.kind} == {"int", "word"} and name in ("eq", "ne"):
            return Value("bool", self.define(f"icmp {name} i64 {left.text}, {right.text}"))
        kind = "word" if "word" in (left.kind, right.kind) else "int"
        one, two = self.as_kind(left, kind, node), self.as_kind(right, kind, node)
        if kind == "word":
            name = name.replace("s", "u", 1) if name[0] == "s" else name
        return Value("bool", self.define(f"icmp {name} i64 {one}, {two}"))

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
        if name in CONVERSIONS and len(node.args) == 1:
            return self.converted(node, CONVERSIONS[name])
        if name in ("min", "max") and len(node.args) == 2:
            one, two = (self.as_kind(self.value(each), "int", each) for each in node.args)
            return Value("int", self.define(f"call i64 @llvm.s{name}.i64(i64 {one}, i64 {two})"))
        if name == "len" and len(node.args) == 1:
            view = self.view(node.args[0])
            if view is None:
                raise self.wrong(node)
            return Value("int", view.sizes[0])
        callee = resolve(self.function, name)
        if isinstance(callee, Intrinsic):
            return self.call_intrinsic(node, callee)
        if not isinstance(callee, CompiledFunction):
            raise self.wrong(node)
        return self.call_function(node, callee)

    def converted(self, node: ast.Call, kind: str) -> Value:
        """np.int64(x) and np.uint64(x): the same bits."""
        value = self.value(node.args[0])
        if value.kind in ("int", "word"):
            return Value(kind, value.text)
        return Value(kind, self.as_kind(value, kind, node))

    def call_intrinsic(self, node: ast.Call, callee: Intrinsic) -> Value:
        """A call of a function that is written in LLVM IR."""
        if len(node.args) != len(callee.parameters):
            raise self.wrong(node, f"{callee.name} takes {len(callee.parameters)} arguments")
        operands = [f"i64 {self.as_kind(self.value(each), kind, each)}"
                    for each, kind in zip(node.args, callee.parameters, strict=True)]
        text = f"@{callee.name}({', '.join(operands)})"
        if callee.result == "none":
            self.emit(f"call void {text}")
            return Value("none")
        return Value(callee.result, self.define(f"call i64 {text}"))

    def call_function(self, node: ast.Call, callee: CompiledFunction) -> Value:
        """A call of another compiled function."""
        signature = callee.signature
        if len(node.args) != len(signature.parameters):
            raise self.wrong(node, f"{callee.name} takes {len(signature.parameters)} arguments")
        operands: list[str] = []
        for each, (_, kind) in zip(node.args, signature.parameters, strict=True):
            if isinstance(kind, str):
                operands.append(f"{TYPES[kind]} {self.as_kind(self.value(each), kind, each)}")
            elif isinstance(kind, tuple):
                view = self.view(each)
                if view is None or (view.element, len(view.sizes)) != kind:
                    raise self.wrong(each, f"{ast.unparse(each)!r} is no array {kind}")
                operands += [f"ptr {view.base}", *(f"i64 {size}" for size in view.sizes)]
            else:
                struct = self.struct(each)
                if struct is None or struct.type is not kind:
                    raise self.wrong(each, f"{ast.unparse(each)!r} is no {kind.python.__name__}")
                operands.append(f"ptr {struct.base}")
        self.callees.append(callee)
        text = f"call fastcc {signature.llvm} @{callee.name}({', '.join(operands)})"
        if signature.result == "none":
            self.emit(text)
            return Value("none")
        result = self.define(text)
        if not signature.results:
            return Value(signature.result, result)
        parts = tuple(
            Value(kind, self.define(f"extractvalue {signature.llvm} {result}, {number}"))
            for number, kind in enumerate(signature.results)
        )
        return Value("tuple", parts=parts)


__all__ = ["ValueWriter", "View", "resolve"]

# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of compiled functions as LLVM IR."""

from __future__ import annotations

import ast
import operator as operators
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from faultlock.translate.arrays import ArrayWriter, ModuleParts
from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import TYPES
from faultlock.translate.operands import Value, is_literal
from faultlock.translate.source import resolve

OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr",
}  # fmt: skip
UNSIGNED = {"ashr": "lshr", "slt": "ult", "sle": "ule", "sgt": "ugt", "sge": "uge"}
FLOAT_OPERATORS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
FOLDED = {"add": operators.add, "sub": operators.sub, "mul": operators.mul,
          "shl": operators.lshift}
HELPERS = {ast.FloorDiv: "floor_divide", ast.Mod: "modulo"}  # of the module
# of whole numbers, of floats
COMPARISONS = {
    ast.Eq: ("eq", "oeq"), ast.NotEq: ("ne", "une"), ast.Lt: ("slt", "olt"),
    ast.LtE: ("sle", "ole"), ast.Gt: ("sgt", "ogt"), ast.GtE: ("sge", "oge"),
}  # fmt: skip
CONVERSIONS = {
    "np.int64": "int", "int": "int", "np.uint64": "word", "np.float64": "float", "float": "float",
}  # fmt: skip


class ValueWriter(ArrayWriter):
    """Writes expressions; the statements are in statements.py."""

    floats = False  # whether the functions of a library may compute with floats

    def __init__(self, function: CompiledFunction, parts: ModuleParts) -> None:
        super().__init__(function, parts)
        self.names: dict[str, str] = {}  # local number -> kind
        self.callees: list[CompiledFunction] = []

    # ---- values

    def value(self, node: ast.expr) -> Value:
        """A number, truth value or tuple.  Raises CompiledTextError."""
        value = self.any_value(node)
        if value.kind == "float" and not self.floats:
            raise self.wrong(node, f"{ast.unparse(node)!r} is a float")
        return value

    def any_value(self, node: ast.expr) -> Value:
        """`value` before its kind is looked at."""
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
        """A literal, or a constant of a module."""
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
        """A local number, or a constant of the module."""
        kind = self.names.get(node.id)
        if kind is None:
            return self.constant(node, resolve(self.function, node.id))
        return Value(kind, self.define(f"load {TYPES[kind]}, ptr %{node.id}.local"))

    def attribute(self, node: ast.Attribute) -> Value:
        """A number of a NamedTuple, the address of an array (array.ctypes.data), or a constant
        of another module."""
        inner = node.value
        if node.attr == "data" and isinstance(inner, ast.Attribute) and inner.attr == "ctypes":
            view = self.view(inner.value)
            if view is not None:
                return Value("int", self.define(f"ptrtoint ptr {view.base} to i64"))
        found = self.field(node)
        if isinstance(found, Value):
            return found
        return self.constant(node, resolve(self.function, ast.unparse(node)))

    def binary(self, node: ast.AST, left: Value, operator: ast.operator, right: Value) -> Value:
        """left operator right; with a word both are words, with a float both are floats."""
        if isinstance(operator, ast.Pow | ast.Div) or "float" in (left.kind, right.kind):
            return self.float_binary(node, left, operator, right)
        kind = "word" if "word" in (left.kind, right.kind) else "int"
        one, two = self.as_kind(left, kind, node), self.as_kind(right, kind, node)
        helper, name = HELPERS.get(type(operator)), OPERATORS.get(type(operator))
        if helper and kind == "int":
            return Value("int", self.define(f"call fastcc i64 @{helper}(i64 {one}, i64 {two})"))
        if name is None:
            raise self.wrong(node)
        if is_literal(one) and is_literal(two):
            folded = folded_literal(name, int(one), int(two))
            if folded is not None:
                return Value(kind, str(folded))
        if kind == "word":
            name = UNSIGNED.get(name, name)
        return Value(kind, self.define(f"{name} i64 {one}, {two}"))

    def float_binary(self, node: ast.AST, left: Value, operator: ast.operator,
                     right: Value) -> Value:
        """left operator right, of floats; / and ** of whole numbers are floats, too."""
        one, two = self.as_kind(left, "float", node), self.as_kind(right, "float", node)
        if isinstance(operator, ast.Pow):
            power = self.define(f"call double @llvm.pow.f64(double {one}, double {two})")
            return Value("float", power)
        name = FLOAT_OPERATORS.get(type(operator))
        if name is None:
            raise self.wrong(node)
        return Value("float", self.define(f"{name} double {one}, {two}"))

    def unary(self, node: ast.UnaryOp) -> Value:
        """not x, -x, ~x."""
        if isinstance(node.op, ast.Not):
            return Value("bool", self.define(f"xor i1 {self.truth(node.operand).text}, true"))
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and value.kind == "float":
            return Value("float", self.define(f"fneg double {value.text}"))
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
        done = self.fresh()
        for number, test in enumerate(tests):
            value = test()
            self.emit(f"store i1 {value.text}, ptr {place}")
            if number + 1 < len(tests):
                following = self.fresh()
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
        """left operator right.  An int and a word are compared for equality only: which of them
        is less depends on how the bits are read."""
        if type(operator) not in COMPARISONS:
            raise self.wrong(node)
        name, float_name = COMPARISONS[type(operator)]
        kinds = (left.kind, right.kind)
        if "float" in kinds:
            one, two = self.as_kind(left, "float", node), self.as_kind(right, "float", node)
            return Value("bool", self.define(f"fcmp {float_name} double {one}, {two}"))
        if kinds == ("bool", "bool"):
            return Value("bool", self.define(f"icmp {name} i1 {left.text}, {right.text}"))
        if set(kinds) == {"int", "word"} and name in ("eq", "ne"):
            return Value("bool", self.define(f"icmp {name} i64 {left.text}, {right.text}"))
        kind = "word" if "word" in kinds else "int"
        one, two = self.as_kind(left, kind, node), self.as_kind(right, kind, node)
        if kind == "word":
            name = UNSIGNED.get(name, name)
        return Value("bool", self.define(f"icmp {name} i64 {one}, {two}"))

    def choice(self, node: ast.IfExp) -> Value:
        """a if test else b."""
        then, otherwise, done = self.fresh(), self.fresh(), self.fresh()
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
        """A call; its value is of kind none when it gives none."""
        name = ast.unparse(node.func)
        if node.keywords:
            raise self.wrong(node)
        special = self.special_call(node, name)
        if special is not None:
            return special
        if name in CONVERSIONS and len(node.args) == 1:
            return self.converted(node, CONVERSIONS[name])
        if name in ("min", "max") and len(node.args) == 2:
            one, two = (self.as_kind(self.value(each), "int", each) for each in node.args)
            return Value("int", self.define(f"call i64 @llvm.s{name}.i64(i64 {one}, i64 {two})"))
        if name == "len" and len(node.args) == 1:
            view = self.view(node.args[0])
            if view is not None:
                return Value("int", self.size(view, 0))
        callee = resolve(self.function, name)
        if not isinstance(callee, CompiledFunction):
            raise self.wrong(node)
        return self.call_function(node, callee)

    def special_call(self, node: ast.Call, name: str) -> Value | None:
        """A call of something that only one library has; None: it is none."""
        return None

    def converted(self, node: ast.Call, kind: str) -> Value:
        """np.int64(x) and the like; between int and word the bits stay."""
        value = self.value(node.args[0])
        if {value.kind, kind} == {"word", "int"}:
            return Value(kind, value.text)
        if (value.kind, kind) == ("float", "int"):
            return Value(kind, self.define(f"fptosi double {value.text} to i64"))
        if (value.kind, kind) == ("word", "float"):
            return Value(kind, self.define(f"uitofp i64 {value.text} to double"))
        return Value(kind, self.as_kind(value, kind, node))

    def operands(self, node: ast.Call, name: str, kinds: Sequence[str]) -> list[str]:
        """The arguments as numbers of these kinds."""
        self.need_arguments(node, name, len(kinds))
        return [self.as_kind(self.value(each), kind, each)
                for each, kind in zip(node.args, kinds, strict=True)]

    def need_arguments(self, node: ast.Call, name: str, count: int) -> None:
        """Raises CompiledTextError: there are more or fewer."""
        if len(node.args) != count:
            raise self.wrong(node, f"{name} takes {count} arguments")

    def call_function(self, node: ast.Call, callee: CompiledFunction) -> Value:
        """A call of another compiled function."""
        signature = callee.signature
        self.need_arguments(node, callee.name, len(signature.parameters))
        operands: list[str] = []
        for each, (_, kind) in zip(node.args, signature.parameters, strict=True):
            if isinstance(kind, str):
                operands.append(f"{TYPES[kind]} {self.as_kind(self.value(each), kind, each)}")
            else:
                operands += self.passed(each, kind)
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


def folded_literal(name: str, one: int, two: int) -> int | None:
    """The result of an operator of LLVM on two literals; None: it is left to LLVM."""
    if name not in FOLDED or (name == "shl" and not 0 <= two < 64):
        return None
    result: int = FOLDED[name](one, two)
    return result if abs(result) < 1 << 63 else None

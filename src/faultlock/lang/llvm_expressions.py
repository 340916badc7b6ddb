# SPDX-License-Identifier: GPL-2.0-only
"""LLVM IR of expressions: one `Writer` per LLVM function.

Numbers are i64 everywhere; a test is an i1.  An operand is text: "%12", "-3", "true".
Inside a function: %S state, %out records and results, %frame the thread's frame, %thread its
number.  An error leaves the function at once: it stores its number in out[1] and returns 5.
"""

from __future__ import annotations

from collections.abc import Sequence

from faultlock.lang import program as ir
from faultlock.lang.constants import BINARY, UNARY
from faultlock.lang.llvm_writer import FAILED_MODEL, NUMBER, TextWriter

COMPARE = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
PLAIN = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
INTRINSIC = {"min": "llvm.smin.i64", "max": "llvm.smax.i64"}
HELPER = {"//": "floor_divide", "%": "modulo", "<<": "shift_left", ">>": "shift_right"}


class Writer(TextWriter):
    """Adds places, checks and expressions; functions of steps and atomic functions inherit it."""

    def head_word(self, *key: str) -> str:
        """Load a word of the head (simulate mode): constant during a run."""
        address = self.address("%S", str(8 * self.layout.table[key]))
        return self.define(f"load i64, ptr {address}, align 8, !invariant.load !0")

    def local_address(self, local: ir.Local) -> tuple[str, int, bool]:
        """(address, width, signed) of a step function's local."""
        place = self.layout.local_place(local.function, local.name)
        return self.address("%frame", str(place.offset)), place.width, place.signed

    def field_address(self, struct: str, field: str, reference: str, index: str | None) -> str:
        """Address of a field or array element; reference and index are operands."""
        place = self.layout.field_place(struct, field)
        if index is None:
            region: tuple[str, ...] = ("struct", struct)
            number = self.arithmetic("-", reference, "1")
            offset = self.arithmetic("*", number, str(place.stride))
        else:
            region = ("array", struct, field)
            length = self.module.program.structs[struct].fields[field].length
            assert length is not None
            number = self.arithmetic("-", reference, "1")
            row = self.arithmetic("*", number, self.value(length))
            element = self.arithmetic("+", row, index)
            offset = self.arithmetic("*", element, str(place.width))
        within = place.base - self.layout.region(*region)
        if self.layout.simulate:
            base = self.address("%S", self.head_word(*region))
            return self.address(self.address(base, offset), str(within))
        if NUMBER.match(offset):
            return self.address("%S", str(place.base + int(offset)))
        return self.address(self.address("%S", str(place.base)), offset)

    # ---- checks --------------------------------------------------------------------------------

    def check_reference(self, struct: str, expression: ir.Expr, value: str, error: int) -> None:
        """Error unless 1 <= value <= count."""
        if not self.checks or isinstance(expression, ir.Current):
            return
        count = self.value(self.module.program.structs[struct].count)
        if NUMBER.match(value) and NUMBER.match(count):
            within = "true" if 1 <= int(value) <= int(count) else "false"
        else:
            number = self.arithmetic("-", value, "1")
            within = self.define(f"icmp ult i64 {number}, {count}")
        self.fail_unless(within, FAILED_MODEL, error)

    def check_index(self, struct: str, field: str, index: str, error: int) -> None:
        """Error unless 0 <= index < length."""
        if not self.checks:
            return
        length = self.module.program.structs[struct].fields[field].length
        assert length is not None
        limit = self.value(length)
        if NUMBER.match(index) and NUMBER.match(limit):
            within = "true" if 0 <= int(index) < int(limit) else "false"
        else:
            within = self.define(f"icmp ult i64 {index}, {limit}")
        self.fail_unless(within, FAILED_MODEL, error)

    def check_range(self, type_: ir.Type, value: str, error: int) -> None:
        """Error unless the value is in the type's range."""
        if not (self.checks and error and isinstance(type_, ir.IntType)):
            return
        if type_.low is None or type_.high is None:
            return
        low, high = self.value(type_.low), self.value(type_.high)
        if all(NUMBER.match(each) for each in (low, high, value)):
            within = "true" if int(low) <= int(value) <= int(high) else "false"
        elif low == "0" and NUMBER.match(high):
            within = self.define(f"icmp ule i64 {value}, {high}")
        else:
            above = self.define(f"icmp sge i64 {value}, {low}")
            below = self.define(f"icmp sle i64 {value}, {high}")
            within = self.define(f"and i1 {above}, {below}")
        self.fail_unless(within, FAILED_MODEL, error)

    # ---- expressions ---------------------------------------------------------------------------

    def value(self, expression: ir.Expr) -> str:
        """The operand (i64) of an expression."""
        match expression:
            case ir.Const(value):
                return str(value)
            case ir.Param(name):
                if self.layout.simulate:
                    return self.head_word("param", name)
                return str(self.layout.parameters[name])
            case ir.Current():
                return "%thread"
            case ir.Local():
                return self.read_local(expression)
            case ir.LoadField():
                return self.load_field(expression)
            case ir.OwnRef(struct=struct, reference=reference, first=first, error=error):
                owner = self.value(reference)
                self.check_reference(struct, reference, owner, error)
                return self.arithmetic("+", self.value(first), owner)
            case ir.Unary(operator, operand) if operator != "not":
                return self.unary(operator, self.value(operand))
            case ir.Binary(operator, left, right) if operator not in COMPARE:
                return self.arithmetic(operator, self.value(left), self.value(right))
            case ir.Conditional():
                return self.conditional(expression)
            case ir.AtomicCall(function, arguments):
                return self.call(function, [self.value(each) for each in arguments])
        return self.widen(self.test(expression))

    def widen(self, test: str) -> str:
        """An i1 as i64."""
        if test in ("true", "false"):
            return "1" if test == "true" else "0"
        return self.define(f"zext i1 {test} to i64")

    def test(self, expression: ir.Expr) -> str:
        """The operand (i1) that says whether an expression is not 0."""
        match expression:
            case ir.Unary("not", operand):
                inner = self.test(operand)
                if inner in ("true", "false"):
                    return "false" if inner == "true" else "true"
                return self.define(f"xor i1 {inner}, true")
            case ir.Binary(operator, left, right) if operator in COMPARE:
                a, b = self.value(left), self.value(right)
                if NUMBER.match(a) and NUMBER.match(b):
                    return "true" if BINARY[operator](int(a), int(b)) else "false"
                return self.define(f"icmp {COMPARE[operator]} i64 {a}, {b}")
            case ir.Logical(operator, left, right):
                return self.logical(operator, left, right)
        value = self.value(expression)
        if NUMBER.match(value):
            return "true" if int(value) else "false"
        return self.define(f"icmp ne i64 {value}, 0")

    def unary(self, operator: str, operand: str) -> str:
        """`-` or `~`."""
        if NUMBER.match(operand):
            return str(UNARY[operator](int(operand)))
        if operator == "-":
            return self.define(f"sub i64 0, {operand}")
        return self.define(f"xor i64 {operand}, -1")

    def arithmetic(self, operator: str, left: str, right: str) -> str:
        """An arithmetic operator on operands; folds constants."""
        if NUMBER.match(left) and NUMBER.match(right):
            return str(BINARY[operator](int(left), int(right)))
        if (operator, right) in (("*", "1"), ("+", "0"), ("-", "0")):
            return left
        if operator in PLAIN:
            return self.define(f"{PLAIN[operator]} i64 {left}, {right}")
        if operator in INTRINSIC:
            return self.define(f"call i64 @{INTRINSIC[operator]}(i64 {left}, i64 {right})")
        self.module.need(HELPER[operator])
        return self.define(f"call fastcc i64 @{HELPER[operator]}(i64 {left}, i64 {right})")

    def read_local(self, local: ir.Local) -> str:
        """A local: a parameter's operand, an alloca, or a slot of the frame."""
        if local.function in self.module.program.functions:
            address, width, signed = self.local_address(local)
            return self.load_number(address, width, signed)
        if local.name in self.atomic_values:
            return self.atomic_values[local.name]
        return self.define(f"load i64, ptr {self.cells[local.name]}, align 8")

    def load_field(self, load: ir.LoadField) -> str:
        """A field's value, after the null and index checks."""
        reference = self.value(load.reference)
        index = None if load.index is None else self.value(load.index)
        self.check_reference(load.struct, load.reference, reference, load.error)
        if index is not None:
            self.check_index(load.struct, load.field, index, load.error)
        place = self.layout.field_place(load.struct, load.field)
        address = self.field_address(load.struct, load.field, reference, index)
        return self.load_number(address, place.width, place.signed)

    def logical(self, operator: str, left: ir.Expr, right: ir.Expr) -> str:
        """Short-circuit and / or; the right side runs only when it decides."""
        first = self.test(left)
        decided = "true" if operator == "or" else "false"
        if first in ("true", "false"):
            return first if first == decided else self.test(right)
        before, more, done = self.block, self.fresh("more"), self.fresh("done")
        self.branch(first, *((done, more) if operator == "or" else (more, done)))
        self.start(more)
        second = self.test(right)
        after = self.block
        self.end(f"br label %{done}")
        self.start(done)
        return self.define(f"phi i1 [ {decided}, %{before} ], [ {second}, %{after} ]")

    def conditional(self, expression: ir.Conditional) -> str:
        """`then if test else otherwise`: one of the two runs."""
        test = self.test(expression.test)
        if test in ("true", "false"):
            return self.value(expression.then if test == "true" else expression.otherwise)
        labels = [self.fresh(stem) for stem in ("then", "else", "done")]
        self.branch(test, labels[0], labels[1])
        pairs = []
        for label, side in zip(labels, (expression.then, expression.otherwise), strict=False):
            self.start(label)
            value = self.value(side)
            pairs.append(f"[ {value}, %{self.block} ]")
            self.end(f"br label %{labels[2]}")
        self.start(labels[2])
        return self.define(f"phi i64 {', '.join(pairs)}")

    def call(self, function: str, arguments: Sequence[str]) -> str:
        """Call an atomic function; when it failed, this function fails the same way."""
        passed = "".join(f", i64 {argument}" for argument in arguments)
        text = f"@atomic.{function}(ptr %S, ptr %out, i64 %thread{passed})"
        if function not in self.module.may_fail:
            return self.define(f"call fastcc i64 {text}")
        result = self.define(f"call fastcc {{ i64, i32 }} {text}")
        status = self.define(f"extractvalue {{ i64, i32 }} {result}, 1")
        failed = self.define(f"icmp ne i32 {status}, 0")
        if not self.ended:
            self.propagated.append((status, self.block))
            go_on = self.fresh("ok")
            self.end(f"br i1 {failed}, label %propagate, label %{go_on}, !prof !2")
            self.start(go_on)
        return self.define(f"extractvalue {{ i64, i32 }} {result}, 0")

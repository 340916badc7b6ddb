# SPDX-License-Identifier: GPL-2.0-only
"""Statements of compiled functions as LLVM IR: one FunctionWriter a function."""

from __future__ import annotations

import ast

from faultlock.translate.arrays import ModuleParts, Struct, View
from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import NUMBERS, TYPES, ArrayKind, StructKind
from faultlock.translate.operands import Value
from faultlock.translate.source import definition
from faultlock.translate.values import ValueWriter


class FunctionWriter(ValueWriter):
    """Translates one function; `callees` are those that it calls."""

    declarations = ""  # what the functions of a library call: LLVM IR

    def __init__(self, function: CompiledFunction, parts: ModuleParts) -> None:
        super().__init__(function, parts)
        self.signature = function.signature
        self.node = definition(function)
        self.loops: list[tuple[str, str]] = []  # labels: continue, break
        self.left: set[str] = set()  # break labels that are used

    def text(self) -> str:
        """The definition.  Raises CompiledTextError."""
        for name, kind in self.signature.parameters:
            if isinstance(kind, StructKind):
                self.structs[name] = Struct(kind, f"%{name}")
            elif isinstance(kind, ArrayKind):
                sizes = tuple(f"%{name}.{size}" for size in range(kind.dimensions))
                self.views[name] = View(kind.element, f"%{name}", sizes)
            else:
                self.local(name, kind)
                self.emit(f"store {TYPES[kind]} %{name}, ptr %{name}.local")
        self.block(self.node.body)
        if self.signature.result == "none":
            self.end("ret void")
        elif not self.ended:
            raise self.wrong(self.node, f"{self.node.name} may end without a value")
        passed = ", ".join(f"{TYPES[kind]} %{name}" for name, kind in self.signature.words)
        allocas = "".join(f"  {line}\n" for line in self.head)
        body = "\n".join(self.lines)
        inline = " alwaysinline" if self.function.inlined else ""
        return (
            f"define internal fastcc {self.signature.llvm} @{self.function.name}({passed})"
            f"{inline} nounwind {{\nentry:\n{allocas}{body}\n}}\n"
        )

    def local(self, name: str, kind: str) -> None:
        """A local number of this kind."""
        self.names[name] = kind
        self.head.append(f"%{name}.local = alloca {TYPES[kind]}")

    # ---- statements

    def block(self, body: list[ast.stmt]) -> None:
        """Statements one after the other.  What an array is called here is not known outside:
        the block may not have run, and LLVM wants to see that an operand is always there."""
        outside = dict(self.views)
        for statement in body:
            if self.ended:
                raise self.wrong(statement, "never reached")
            self.statement(statement)
        self.views = outside

    def statement(self, node: ast.stmt) -> None:
        """One statement; what may stand there is said in module.py."""
        match node:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                return
            case ast.Expr(value=ast.Call() as call):
                self.call(call)
            case ast.Assign():
                self.assign(node)
            case ast.AnnAssign(value=ast.expr() as value):
                self.assign_one(node.target, value)
            case ast.AugAssign():
                self.augmented(node)
            case ast.If():
                self.branch(node)
            case ast.While():
                self.loop(node)
            case ast.For():
                self.count_up(node)
            case ast.Return():
                self.leave(node)
            case ast.Break():
                self.left.add(self.loops[-1][1])
                self.end(f"br label %{self.loops[-1][1]}")
            case ast.Continue():
                self.end(f"br label %{self.loops[-1][0]}")
            case _:
                raise self.wrong(node)

    def assign(self, node: ast.Assign) -> None:
        """target = source, or a = b = source."""
        if len(node.targets) == 1:
            self.assign_one(node.targets[0], node.value)
            return
        value = self.value(node.value)
        for target in node.targets:
            self.store(target, value)

    def assign_one(self, target: ast.expr, source: ast.expr) -> None:
        """target = source; all values are computed before the first is stored."""
        if not isinstance(target, ast.Tuple):
            if not self.assign_view(target, source):
                self.store(target, self.value(source))
            return
        if isinstance(source, ast.Tuple) and len(source.elts) == len(target.elts):
            pairs = list(zip(target.elts, source.elts, strict=True))
            rest = [pair for pair in pairs if not self.assign_view(*pair)]
            values = [self.value(value) for _, value in rest]
            targets = [place for place, _ in rest]
        else:
            values, targets = list(self.value(source).parts), target.elts
        if len(values) != len(targets):
            raise self.wrong(source, f"{len(targets)} values are needed")
        for each, value in zip(targets, values, strict=True):
            if not (isinstance(each, ast.Name) and each.id == "_"):
                self.store(each, value)

    def assign_view(self, target: ast.expr, source: ast.expr) -> bool:
        """A local name for an array or row; False when the source is a number."""
        view = None
        if isinstance(source, ast.Attribute | ast.Subscript | ast.Call):
            view = self.view(source)
        if view is None:
            return False
        if not isinstance(target, ast.Name) or target.id in (*self.names, *self.views):
            raise self.wrong(target, "a row or array is given a name once")
        self.views[target.id] = self.sized(view)
        return True

    def store(self, target: ast.expr, value: Value) -> None:
        """Store into a local variable or an element."""
        if isinstance(target, ast.Subscript):
            view, address = self.element(target)
            self.store_element(view, address, value, target)
            return
        if not isinstance(target, ast.Name) or value.kind not in NUMBERS:
            raise self.wrong(target)
        if target.id in self.views:
            raise self.wrong(target, f"{target.id} is an array")
        if target.id not in self.names:
            self.local(target.id, value.kind)
        kind = self.names[target.id]
        self.emit(
            f"store {TYPES[kind]} {self.as_kind(value, kind, target)}, ptr %{target.id}.local"
        )

    def augmented(self, node: ast.AugAssign) -> None:
        """target += source and the like; the address is computed once."""
        if isinstance(node.target, ast.Subscript):
            view, address = self.element(node.target)
            old = self.load_element(view, address)
            value = self.binary(node, old, node.op, self.value(node.value))
            self.store_element(view, address, value, node)
        elif isinstance(node.target, ast.Name):
            old = self.name(node.target)
            self.store(node.target, self.binary(node, old, node.op, self.value(node.value)))
        else:
            raise self.wrong(node)

    def branch(self, node: ast.If) -> None:
        """if, elif, else."""
        then, otherwise, done = self.fresh(), self.fresh(), self.fresh()
        self.end(f"br i1 {self.truth(node.test).text}, label %{then}, label %{otherwise}")
        reached = False
        for label, body in ((then, node.body), (otherwise, node.orelse)):
            self.start(label)
            self.block(body)
            reached |= not self.ended
            self.end(f"br label %{done}")
        if reached:
            self.start(done)

    def loop(self, node: ast.While) -> None:
        """while; `while True` ends by break or return only."""
        if node.orelse:
            raise self.wrong(node)
        test, body, done = self.fresh(), self.fresh(), self.fresh()
        self.end(f"br label %{test}")
        self.start(test)
        endless = isinstance(node.test, ast.Constant) and node.test.value is True
        if endless:
            self.end(f"br label %{body}")
        else:
            self.end(f"br i1 {self.truth(node.test).text}, label %{body}, label %{done}")
        self.start(body)
        self.loops.append((test, done))
        self.block(node.body)
        self.loops.pop()
        self.end(f"br label %{test}")
        if not endless or done in self.left:
            self.start(done)

    def count_up(self, node: ast.For) -> None:
        """for name in range(...) or in an array: the variable keeps its last value."""
        target, values = node.target, self.view(node.iter)
        if node.orelse or not isinstance(target, ast.Name):
            raise self.wrong(node)
        first, last, step = ("0", self.size(values, 0), 1) if values else self.range_of(node)
        test, body, following, done = (self.fresh() for _ in range(4))
        hidden = f"%{body}.number"
        self.head.append(f"{hidden} = alloca i64")
        self.emit(f"store i64 {first}, ptr {hidden}")
        self.end(f"br label %{test}")
        self.start(test)
        number = self.define(f"load i64, ptr {hidden}")
        on = self.define(f"icmp {'slt' if step > 0 else 'sgt'} i64 {number}, {last}")
        self.end(f"br i1 {on}, label %{body}, label %{done}")
        self.start(body)
        value = Value("int", number)
        if values:
            value = self.load_element(values, self.shifted(values, number))
        self.store(target, value)
        self.loops.append((following, done))
        self.block(node.body)
        self.loops.pop()
        self.end(f"br label %{following}")
        self.start(following)
        more = self.define(f"add nsw i64 {self.define(f'load i64, ptr {hidden}')}, {step}")
        self.emit(f"store i64 {more}, ptr {hidden}")
        self.end(f"br label %{test}")
        self.start(done)

    def range_of(self, node: ast.For) -> tuple[str, str, int]:
        """(first, end, step) of range()."""
        call = node.iter
        if (not isinstance(call, ast.Call) or ast.unparse(call.func) != "range"
                or not 1 <= len(call.args) <= 3):
            raise self.wrong(node)
        limits = [self.as_kind(self.value(each), "int", each) for each in call.args[:2]]
        first, last = limits if len(limits) == 2 else ["0", limits[0]]
        return first, last, ast.literal_eval(call.args[2]) if len(call.args) == 3 else 1

    def leave(self, node: ast.Return) -> None:
        """return."""
        signature = self.signature
        if node.value is None:
            if signature.result != "none":
                raise self.wrong(node)
            self.end("ret void")
            return
        value = self.value(node.value)
        if not signature.results:
            kind = signature.result
            self.end(f"ret {TYPES[kind]} {self.as_kind(value, kind, node.value)}")
            return
        if len(value.parts) != len(signature.results):
            raise self.wrong(node)
        whole = "undef"
        for number, (kind, part) in enumerate(zip(signature.results, value.parts, strict=True)):
            operand = f"{TYPES[kind]} {self.as_kind(part, kind, node)}"
            whole = self.define(f"insertvalue {signature.llvm} {whole}, {operand}, {number}")
        self.end(f"ret {signature.llvm} {whole}")

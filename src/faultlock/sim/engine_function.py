# SPDX-License-Identifier: GPL-2.0-only
"""Statements of the engine's functions as LLVM IR: one FunctionWriter a function."""

from __future__ import annotations

import ast

from faultlock.sim.compiled import CompiledFunction
from faultlock.sim.engine_arrays import Value
from faultlock.sim.engine_text import TYPES, definition, signature_of
from faultlock.sim.engine_values import ValueWriter


class FunctionWriter(ValueWriter):
    """Translates one function; `callees` are those that it calls."""

    def __init__(self, function: CompiledFunction) -> None:
        super().__init__(function)
        self.signature = signature_of(function)
        self.node = definition(function)
        self.loops: list[tuple[str, str]] = []  # labels: continue, break
        self.left: set[str] = set()  # break labels that are used

    def text(self) -> str:
        """The definition.  Raises EngineCodeError."""
        for name, kind in self.signature.parameters:
            if kind == "engine":
                if name != "engine":
                    raise self.wrong(self.node, "the parameter of type Engine is called engine")
                self.names[name] = kind
                continue
            self.local(name, kind)
            self.emit(f"store {TYPES[kind]} %{name}, ptr %{name}.local")
        self.block(self.node.body)
        if self.signature.result == "none":
            self.end("ret void")
        elif not self.ended:
            raise self.wrong(self.node, f"{self.node.name} may end without a value")
        parameters = ", ".join(f"{TYPES[kind]} %{name}" for name, kind in self.signature.parameters)
        allocas = "".join(f"  {line}\n" for line in self.head)
        body = "\n".join(self.lines)
        return (
            f"define internal fastcc {self.signature.llvm} @{self.function.name}({parameters}) "
            f"nounwind {{\nentry:\n{allocas}{body}\n}}\n"
        )

    def name(self, node: ast.Name) -> Value:
        if self.names.get(node.id) == "engine":
            return Value("engine", "%engine")
        return super().name(node)

    def local(self, name: str, kind: str) -> None:
        """A local variable of this kind, or an array or row."""
        self.names[name] = kind
        self.head.append(f"%{name}.local = alloca {TYPES.get(kind, 'ptr')}")

    # ---- statements

    def block(self, body: list[ast.stmt]) -> None:
        """Statements one after the other."""
        for statement in body:
            if self.ended:
                raise self.wrong(statement, "never reached")
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                return
            case ast.Expr(value=ast.Call() as call):
                self.call(call)
            case ast.Assign(targets=[target]):
                self.assign(target, node.value)
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

    def assign(self, target: ast.expr, source: ast.expr) -> None:
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
            self.store(each, value)

    def assign_view(self, target: ast.expr, source: ast.expr) -> bool:
        """A local name for an array or row; False when the source is a number."""
        view = self.view(source) if isinstance(source, ast.Attribute | ast.Subscript) else None
        if view is None:
            return False
        if not isinstance(target, ast.Name) or target.id in self.names:
            raise self.wrong(target, "a row or array is given a name once")
        self.local(target.id, "array")
        self.views[target.id] = (view.field, view.dropped)
        self.emit(f"store ptr {view.base}, ptr %{target.id}.local")
        return True

    def store(self, target: ast.expr, value: Value) -> None:
        """Store into a local variable or an element."""
        if isinstance(target, ast.Subscript):
            view, address = self.element(target)
            self.store_element(view, address, value, target)
            return
        if not isinstance(target, ast.Name) or value.kind not in ("int", "word", "bool", "float"):
            raise self.wrong(target)
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
        then, otherwise, done = self.label(), self.label(), self.label()
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
        if node.orelse:
            raise self.wrong(node)
        test, body, done = self.label(), self.label(), self.label()
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
        """for name in range(...): the variable keeps its last value, as in Python."""
        call, target = node.iter, node.target
        if (
            node.orelse or not isinstance(target, ast.Name) or not isinstance(call, ast.Call)
            or ast.unparse(call.func) != "range" or not 1 <= len(call.args) <= 3
        ):  # fmt: skip
            raise self.wrong(node)
        limits = [self.as_kind(self.value(each), "int", each) for each in call.args[:2]]
        first, last = limits if len(limits) == 2 else ["0", limits[0]]
        step = ast.literal_eval(call.args[2]) if len(call.args) == 3 else 1
        test, body, following, done = (self.label() for _ in range(4))
        hidden = f"%{body}.number"
        self.head.append(f"{hidden} = alloca i64")
        self.emit(f"store i64 {first}, ptr {hidden}")
        self.end(f"br label %{test}")
        self.start(test)
        number = self.define(f"load i64, ptr {hidden}")
        on = self.define(f"icmp {'slt' if step > 0 else 'sgt'} i64 {number}, {last}")
        self.end(f"br i1 {on}, label %{body}, label %{done}")
        self.start(body)
        self.store(target, Value("int", number))
        self.loops.append((following, done))
        self.block(node.body)
        self.loops.pop()
        self.end(f"br label %{following}")
        self.start(following)
        more = self.define(f"add i64 {self.define(f'load i64, ptr {hidden}')}, {step}")
        self.emit(f"store i64 {more}, ptr {hidden}")
        self.end(f"br label %{test}")
        self.start(done)

    def leave(self, node: ast.Return) -> None:
        """return."""
        signature = self.signature
        if node.value is None:
            if signature.result != "none":
                raise self.wrong(node)
            self.end("ret void")
            return
        value = self.value(node.value)
        if signature.results is None:
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

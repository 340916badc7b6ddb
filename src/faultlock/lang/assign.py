# SPDX-License-Identifier: GPL-2.0-only
"""Assignments: to locals (which get their type here), to fields, from alloc."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from faultlock.lang.expressions import ExpressionBuilder
from faultlock.lang.fold import binary
from faultlock.lang.operators import describe_type
from faultlock.lang.program import (
    Alloc,
    Const,
    Expr,
    IntType,
    LoadField,
    Local,
    NoneType,
    RefType,
    SetField,
    SetLocal,
    Stmt,
    Type,
)
from faultlock.lang.symbols import INT, OPERATORS
from faultlock.lang.wording import RESERVED, text_of

WORDS = ("wait", "choose", "cpu", "sleep", "emit", "alloc", "free", "each", "range")
LOOP_VARIABLE = "loop variable"  # the type of a name that has only counted a loop


@dataclass
class AssignmentCompiler:
    """Compiles assignments of one function."""

    builder: ExpressionBuilder
    # names that count the rounds of the loops around this statement
    counting: list[str] = field(default_factory=list, kw_only=True)

    def assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[Stmt]:
        """x = e, x: T = e, reference.field = e, and the augmented forms."""
        if isinstance(node, ast.Assign) and len(node.targets) != 1:
            self.builder.error(node, "several targets", "assign one after the other")
            return []
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name):
            return self._assign_local(node, target)
        if isinstance(target, ast.Attribute | ast.Subscript):
            return self._assign_field(node, target)
        self.builder.error(
            node, f"{text_of(target)} cannot be assigned", "assign a local or a field"
        )
        return []

    def declare_parameters(self) -> list[tuple[str, Type]]:
        """Give the parameters of the function their types; names and types in order."""
        node = self.builder.function.node
        odd = node.args
        if odd.vararg or odd.kwarg or odd.kwonlyargs or odd.posonlyargs or odd.defaults:
            self.builder.error(node, "only plain parameters", "def f(a: T, b: T) -> T")
        parameters: list[tuple[str, Type]] = []
        for item in node.args.args:
            if item.annotation is None:
                self.builder.error(item, f"parameter {item.arg} has no type", "write name: type")
            kind = self.builder.symbols.type_of(item.annotation, self.builder.function.source)
            if item.arg in self.builder.locals:
                self.builder.error(item, f"two parameters are named {item.arg}", "rename one")
            self.declare(ast.copy_location(ast.Name(item.arg), item), kind)
            parameters.append((item.arg, self.builder.locals[item.arg]))
        return parameters

    def reuse(self, name: str, node: ast.AST) -> None:
        """Something other than a loop assigns to the local: it may, once the loop is over."""
        kind = self.builder.locals.get(name)
        if name in self.counting:
            self.builder.error(node, f"{name} counts the rounds of a loop", "use another name")
        elif isinstance(kind, IntType) and kind.name == LOOP_VARIABLE:
            self.builder.locals[name] = INT  # the bounds of a loop are not those of the name

    def declare(self, target: ast.Name, kind: Type) -> None:
        """Give a new local its type."""
        symbols = self.builder.symbols
        if symbols.space.defined(target.id) or target.id in RESERVED:
            self.builder.error(
                target, f"{target.id} is a name of the model", "call the local something else"
            )
        if isinstance(kind, NoneType):
            self.builder.error(
                target,
                f"the type of {target.id} is unknown",
                f"declare it: {target.id}: Folio = None",
            )
            kind = INT
        self.builder.locals[target.id] = kind

    def _assign_local(
        self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, target: ast.Name
    ) -> list[Stmt]:
        builder = self.builder
        local = Local(builder.function.name, target.id)
        self.reuse(target.id, node)
        if isinstance(node, ast.AugAssign):
            if target.id not in builder.locals:
                builder.error(node, f"unknown name {target.id}", "assign it first")
                return []
            value: Expr = binary(
                OPERATORS.get(type(node.op), "+"),
                local,
                builder.value_for(node.value, INT, "the right side"),
            )
            return [self.set_local(local, value, node)]
        if node.value is None:
            builder.error(node, f"{target.id} has no value", "give it one")
            return []
        if isinstance(node, ast.AnnAssign):
            kind = builder.symbols.type_of(node.annotation, builder.function.source)
            if target.id in builder.locals and builder.locals[target.id] != kind:
                builder.error(node, f"{target.id} has two types", "use another name")
            else:
                self.declare(target, kind)
        if (
            isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "alloc"
        ):
            return self._alloc(node.value, target, local)
        if target.id in builder.locals:
            kind = builder.locals[target.id]
            value = builder.value_for(node.value, kind, target.id)
        else:
            value, kind = builder.build(node.value)
            self.declare(target, kind)
        return [self.set_local(local, value, node)]

    def set_local(self, local: Local, value: Expr, node: ast.AST) -> Stmt:
        """An assignment to a local, range-checked where its type has bounds."""
        kind = self.builder.locals.get(local.name, INT)
        error = self.range_error(kind, value, f"local {local.name}", node)
        return SetLocal(local, value, error)

    def range_error(self, kind: Type, value: Expr, what: str, node: ast.AST) -> int:
        """Number of the range error of storing `value` in `kind`, 0 when it cannot happen."""
        if not isinstance(kind, IntType) or kind.low is None:
            return 0
        if (
            isinstance(value, Const)
            and isinstance(kind.low, Const)
            and isinstance(kind.high, Const)
        ):
            if not kind.low.value <= value.value <= kind.high.value:
                self.builder.error(
                    node,
                    f"{what}: {value.value} is outside {kind.low.value}..{kind.high.value}",
                    "widen the Range or mend the value",
                )
            return 0
        return self.builder.runtime_error(
            "range", f"{what} is outside its Range ({kind.name})", node
        )

    def _alloc(self, call: ast.Call, target: ast.Name, local: Local) -> list[Stmt]:
        name = call.args[0].id if len(call.args) == 1 and isinstance(call.args[0], ast.Name) else ""
        struct = self.builder.symbols.structs.get(name)
        if struct is None:
            self.builder.error(call, "alloc takes the name of a struct", "folio = alloc(Folio)")
            return []
        kind = RefType(name)
        if target.id not in self.builder.locals:
            self.declare(target, kind)
        elif self.builder.locals[target.id] != kind:
            self.builder.error(
                call, f"{target.id} is {describe_type(self.builder.locals[target.id])}"
            )
        self.builder.symbols.structs[name] = replace(struct, allocated=True)
        self.builder.accesses.append(f"alloc({name})")
        return [Alloc(name, local)]

    def _assign_field(
        self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, target: ast.expr
    ) -> list[Stmt]:
        builder = self.builder
        place = builder.place(target)
        if place is None:
            return []
        what = f"{place.struct}.{place.field.name}"
        if place.field.own:
            builder.error(node, f"{what} is embedded and cannot be assigned", "assign its fields")
            return []
        if place.field.const and not builder.atomic:
            builder.error(
                node,
                f"{what} is Const: it is set where the instance is made",
                "set it in the atomic function that allocates it",
            )
        builder.count_access(place, text_of(target))
        if isinstance(node, ast.AugAssign):
            operator = OPERATORS.get(type(node.op))
            if operator is None:
                builder.error(node, "unknown operator", "+ - * // % << >> & | ^")
                return []
            old = LoadField(
                place.struct, place.field.name, place.reference, place.index, place.error
            )
            value: Expr = binary(
                operator, old, builder.value_for(node.value, INT, "the right side")
            )
        else:
            assert node.value is not None
            value = builder.value_for(node.value, place.field.type, what)
        error = self.range_error(place.field.type, value, what, node)
        return [
            SetField(
                place.struct,
                place.field.name,
                place.reference,
                place.index,
                value,
                place.error,
                error,
                place.field.wakes,
            )
        ]

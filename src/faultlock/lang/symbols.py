# SPDX-License-Identifier: GPL-2.0-only
"""Names and types of a model: constants, parameters, aliases, enums, structs."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from faultlock.lang.constants import wrap
from faultlock.lang.fold import binary, unary
from faultlock.lang.program import (
    Assertion,
    Binary,
    BoolType,
    Const,
    Expr,
    Field,
    IntType,
    ModelError,
    NoneType,
    Param,
    RefType,
    Struct,
    Type,
    Unary,
)
from faultlock.lang.source import FunctionSource, Namespace, Source
from faultlock.lang.wording import nearest, shown, text_of

INT = IntType(Const(-(2**31)), Const(2**31 - 1), "int")
BOOL = BoolType()
NONE = NoneType()
OPERATORS: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "==",
    ast.IsNot: "!=",
}


@dataclass
class Symbols:
    """Everything the function compilers look up, and the tables they fill."""

    space: Namespace
    constants: dict[str, Expr] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    errors: list[ModelError] = field(default_factory=list)
    assertions: list[Assertion] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    bound: bool = False  # parameters are constants (checker), not run-time values
    ignored: frozenset[str] = frozenset()  # event properties that are not compiled in
    wake_fields: set[str] = field(default_factory=set)
    own_first: dict[tuple[str, str], Expr] = field(default_factory=dict)
    _error_numbers: dict[ModelError, int] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)

    def error_number(self, kind: str, text: str, source: Source, node: ast.AST) -> int:
        """Number of a run-time error (null dereference, range ...) of the checked build."""
        error = ModelError(kind, text, source.path, getattr(node, "lineno", 1))
        if error not in self._error_numbers:
            self.errors.append(error)
            self._error_numbers[error] = len(self.errors)
        return self._error_numbers[error]

    def number(self, table: list[str], name: str) -> int:
        """Index of `name` in an append-only table."""
        if name not in table:
            table.append(name)
        return table.index(name)

    def function(self, name: str) -> FunctionSource | None:
        """The function of that name after all policies."""
        return self.space.functions.get(name)

    def nearest(self, name: str, extra: list[str] | None = None) -> str:
        """A cure for an unknown name."""
        names = [
            *self.space.constants,
            *self.space.parameters,
            *self.space.structs,
            *self.space.enums,
            *self.space.aliases,
            *self.space.functions,
            *(extra or []),
        ]
        return nearest(name, names, len(self.space.errors), "define it first")

    # ---- constants -------------------------------------------------------------------

    def constant(self, node: ast.expr, source: Source) -> Expr:
        """A constant expression over literals, constants, parameters and enum members."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | bool):
            value = wrap(int(node.value))
            if value != node.value:
                self.space.error(source, node, f"{shown(node.value)} is not a 64-bit integer")
            return Const(value)
        if isinstance(node, ast.Constant) and node.value is None:
            return Const(0)
        if isinstance(node, ast.Name):
            found = self.named_constant(node.id)
            if found is not None:
                return found
            self.space.error(
                source, node, f"{node.id} is not a constant or a parameter", self.nearest(node.id)
            )
            return Const(0)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            member = self.enum_member(node.value.id, node.attr)
            if member is not None:
                return Const(member)
        operated = self._constant_operation(node, source)
        if operated is not None:
            return operated
        self.space.error(
            source,
            node,
            f"{text_of(node)} is not a constant expression",
            "use literals, constants, parameters and operators",
        )
        return Const(0)

    def _constant_operation(self, node: ast.expr, source: Source) -> Expr | None:
        """Operators, comparisons, min and max of constant expressions; None for the rest."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert | ast.Not):
            symbol = {ast.USub: "-", ast.Invert: "~", ast.Not: "not"}[type(node.op)]
            return unary(symbol, self.constant(node.operand, source))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return binary(
                OPERATORS[type(node.op)],
                self.constant(node.left, source),
                self.constant(node.right, source),
            )
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
            return binary(
                OPERATORS[type(node.ops[0])],
                self.constant(node.left, source),
                self.constant(node.comparators[0], source),
            )
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("min", "max")
            and len(node.args) == 2
        ):
            return binary(
                node.func.id,
                self.constant(node.args[0], source),
                self.constant(node.args[1], source),
            )
        return None

    def named_constant(self, name: str) -> Expr | None:
        """Value of a constant or parameter of that name, None when there is none."""
        if name in self.constants:
            return self.constants[name]
        if name in self.space.parameters:
            return Const(self.parameters[name]) if self.bound else Param(name)
        if name not in self.space.constants:
            return None
        node, source = self.space.constants[name]
        if name in self._busy:
            self.space.error(source, node, f"{name} is defined by itself", "give it a value")
            return Const(0)
        self._busy.add(name)
        self.constants[name] = self.constant(node, source)
        self._busy.discard(name)
        return self.constants[name]

    def enum_member(self, enum: str, member: str) -> int | None:
        """Value of Enum.MEMBER, None when there is no such thing."""
        if enum not in self.enums:
            if enum not in self.space.enums:
                return None
            self._read_enum(enum)
        return self.enums[enum].get(member)

    def _read_enum(self, name: str) -> None:
        node, source = self.space.enums[name]
        members: dict[str, int] = {}
        self.enums[name] = members
        for item in node.body:
            if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
                continue
            if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                value = self.constant(item.value, source)
                members[item.targets[0].id] = value.value if isinstance(value, Const) else 0
            else:
                self.space.error(source, item, "not an enum member", "write NAME = value")

    # ---- types -----------------------------------------------------------------------

    def type_of(self, node: ast.expr | None, source: Source) -> Type:
        """The type an annotation names."""
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return NONE
        if isinstance(node, ast.Name):
            named = self._named_type(node.id)
            if named is not None:
                return named
            self.space.error(source, node, f"{node.id} is not a type", self.nearest(node.id))
            return INT
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if node.value.id == "Range" and len(arguments) == 2:
                low, high = (self.constant(item, source) for item in arguments)
                if isinstance(low, Const) and isinstance(high, Const) and low.value > high.value:
                    self.space.error(source, node, f"{text_of(node)} is empty", "Range[low, high]")
                return IntType(low, high, "Range")
            if node.value.id == "Flags" and len(arguments) == 1:
                bits = self.constant(arguments[0], source)
                return IntType(
                    Const(0), binary("-", binary("<<", Const(1), bits), Const(1)), "Flags"
                )
        self.space.error(
            source,
            node,
            f"{text_of(node)} is not a type",
            "bool, int, Range[low, high], Flags[bits], an alias, an Enum or a Struct",
        )
        return INT

    def _named_type(self, name: str) -> Type | None:
        if name == "bool":
            return BOOL
        if name == "int":
            return INT
        if name in self.space.structs:
            return RefType(name)
        if name in self.space.enums:
            self.enum_member(name, "")
            values = list(self.enums[name].values()) or [0]
            return IntType(Const(min(values)), Const(max(values)), name)
        if name in self.space.aliases:
            node, source = self.space.aliases[name]
            found = self.type_of(node, source)
            return replace(found, name=name) if isinstance(found, IntType) else found
        return None

    # ---- structs ---------------------------------------------------------------------

    def read_structs(self) -> None:
        """Build all struct declarations; own_first gives the first embedded instance."""
        for name, (node, source) in self.space.structs.items():
            count = self._struct_count(node, source)
            struct = Struct(
                name, len(self.structs) + 1, count, {}, False, ast.get_docstring(node) or ""
            )
            self.structs[name] = struct
        for name, (node, source) in self.space.structs.items():
            for item in node.body:
                self._read_field(self.structs[name], item, source)
        self._place_owned()

    def _struct_count(self, node: ast.ClassDef, source: Source) -> Expr:
        for keyword in node.keywords:
            if keyword.arg == "count":
                return self.constant(keyword.value, source)
        return Const(0)  # an embedded-only struct: counted by _place_owned

    def _read_field(self, struct: Struct, item: ast.stmt, source: Source) -> None:
        if isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant):
            return
        if not (
            isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and item.value is None
        ):
            self.space.error(source, item, "not a field", "write name: type")
            return
        name, annotation = item.target.id, item.annotation
        if name in struct.fields:
            self.space.error(source, item, f"{struct.name}.{name} is defined twice")
            return
        marks: set[str] = set()
        length: Expr | None = None
        while isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
            mark = annotation.value.id
            if mark in ("Const", "Private", "Own"):
                marks.add(mark)
                annotation = annotation.slice
            elif mark == "Array" and isinstance(annotation.slice, ast.Tuple):
                length = self.constant(annotation.slice.elts[0], source)
                annotation = annotation.slice.elts[1]
            else:
                break
        if "Private" in marks and struct.name != "Thread":
            self.space.error(source, item, "only fields of Thread can be Private", "drop Private")
        wakes = struct.name == "Thread" and name in self.wake_fields
        struct.fields[name] = Field(
            name,
            self.type_of(annotation, source),
            length,
            "Const" in marks,
            "Private" in marks,
            "Own" in marks,
            wakes,
        )

    def _place_owned(self) -> None:
        totals: dict[str, Expr] = {name: struct.count for name, struct in self.structs.items()}
        for owner in self._owners_first():
            for embedded in self.structs[owner].fields.values():
                if not embedded.own or not isinstance(embedded.type, RefType):
                    continue
                target = embedded.type.struct
                self.own_first[owner, embedded.name] = totals[target]
                totals[target] = binary("+", totals[target], totals[owner])
        for name, total in totals.items():
            self.structs[name] = replace(self.structs[name], count=total)

    def _owners_first(self) -> list[str]:
        """Owners before what they embed, so that every owner's count is final when used."""
        order: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in order or name in path:
                return
            for owner, struct in self.structs.items():
                if any(f.own and f.type == RefType(name) for f in struct.fields.values()):
                    visit(owner, (*path, name))
            order.append(name)

        for name in self.structs:
            visit(name, ())
        return order


__all__ = ["BOOL", "INT", "NONE", "OPERATORS", "Binary", "Symbols", "Unary"]

# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of the model language: from `ast` to typed, side-effect-free IR.

A builder serves one function.  It counts the shared accesses of the statement at hand, so
that the statement compiler can hold the rule "a line is a step".
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from faultlock.lang.fold import binary
from faultlock.lang.operators import OperatorBuilder, describe_type
from faultlock.lang.program import (
    AtomicCall,
    Const,
    Current,
    Expr,
    Field,
    IntType,
    LoadField,
    Local,
    OwnRef,
    RefType,
    Type,
)
from faultlock.lang.source import SCENARIO_LAYER, FunctionSource
from faultlock.lang.symbols import BOOL, INT, NONE
from faultlock.lang.wording import shown, text_of


@dataclass
class Place:
    """A field of an instance (one array element when index is not None)."""

    struct: str
    field: Field
    reference: Expr
    index: Expr | None
    error: int


@dataclass
class ExpressionBuilder(OperatorBuilder):
    """Builds the expressions of one function."""

    # ---- leaves ------------------------------------------------------------------------

    def _build_constant(self, node: ast.Constant) -> tuple[Expr, Type]:
        if node.value is None:
            return Const(0), NONE
        if isinstance(node.value, bool):
            return Const(int(node.value)), BOOL
        if isinstance(node.value, int) and -(2**63) <= node.value < 2**63:
            return Const(node.value), INT
        self.error(
            node,
            f"{shown(node.value)} is not a value of the language",
            "64-bit integers, True, False and None",
        )
        return Const(0), INT

    def _build_name(self, node: ast.Name) -> tuple[Expr, Type]:
        name = node.id
        if name in self.locals:
            return Local(self.function.name, name), self.locals[name]
        if name == "current":
            return Current(), RefType("Thread")
        struct = self.symbols.structs.get(name)
        if struct is not None:
            if struct.count == Const(1):
                return Const(1), RefType(name)
            self.error(node, f"{name} has several instances", "use a reference to one of them")
            return Const(1), RefType(name)
        found = self.symbols.named_constant(name)
        if found is not None:
            return found, self._constant_type(name)
        self.error(node, f"unknown name {name}", self.symbols.nearest(name, list(self.locals)))
        self.locals[name] = INT  # report it once
        return Const(0), INT

    def _constant_type(self, name: str) -> Type:
        table = self.symbols.space.constants.get(name) or self.symbols.space.parameters.get(name)
        node = table[0] if table else None
        is_bool = isinstance(node, ast.Constant) and isinstance(node.value, bool)
        return BOOL if is_bool else INT

    def _build_attribute(self, node: ast.Attribute) -> tuple[Expr, Type]:
        if isinstance(node.value, ast.Name) and node.value.id in self.symbols.space.enums:
            value = self.symbols.enum_member(node.value.id, node.attr)
            if value is None:
                members = ", ".join(self.symbols.enums[node.value.id])
                self.error(node, f"{node.value.id} has no member {node.attr}", f"one of {members}")
            return Const(value or 0), self.symbols.type_of(node.value, self.function.source)
        place = self.place(node)
        return self._load(place, node) if place else (Const(0), INT)

    def _build_subscript(self, node: ast.Subscript) -> tuple[Expr, Type]:
        place = self.place(node)
        return self._load(place, node) if place else (Const(0), INT)

    # ---- fields ------------------------------------------------------------------------

    def place(self, node: ast.expr) -> Place | None:
        """The field (or array element) that `node` names; errors are recorded."""
        index: Expr | None = None
        inner = node
        if isinstance(node, ast.Subscript):
            index, kind = self.build(node.slice)
            if not isinstance(kind, IntType):
                self.error(node.slice, f"an index is an integer, this is {describe_type(kind)}")
            inner = node.value
        if not isinstance(inner, ast.Attribute):
            self.error(node, f"{text_of(node)} is not a field", "write reference.field")
            return None
        reference, kind = self.build(inner.value)
        if not isinstance(kind, RefType):
            self.error(
                inner,
                f"{text_of(inner.value)} is {describe_type(kind)} and has no fields",
                "only references have fields",
            )
            return None
        declared = self.symbols.structs[kind.struct].fields.get(inner.attr)
        if declared is None:
            names = ", ".join(self.symbols.structs[kind.struct].fields)
            self.error(inner, f"{kind.struct} has no field {inner.attr}", f"it has {names}")
            return None
        if (declared.length is None) != (index is None):
            self.error(
                node,
                f"{kind.struct}.{inner.attr} is {'not ' * (declared.length is None)}an array",
                "index arrays and nothing else",
            )
            return None
        if declared.private and not isinstance(reference, Current) and not self._for_property():
            self.error(
                node,
                f"{kind.struct}.{inner.attr} is Private: only current may access it",
                "make the field shared, or go through current",
            )
        error = 0
        if not isinstance(reference, Current | Const) or index is not None:
            error = self.runtime_error(
                "null dereference",
                f"{text_of(node)}: "
                f"{text_of(inner.value)} is None or the index is out of range",
                node,
            )
        return Place(kind.struct, declared, reference, index, error)

    def _for_property(self) -> bool:
        """Properties and set-up (the atomic functions of scenario files) see Private fields."""
        return self.atomic and self.function.source.layer == SCENARIO_LAYER

    def count_access(self, place: Place, text: str) -> None:
        """Count a load or store of a field that other threads can see."""
        if not (place.field.const or place.field.private):
            self.accesses.append(text)

    def _load(self, place: Place, node: ast.expr) -> tuple[Expr, Type]:
        declared = place.field
        if declared.own:
            assert isinstance(declared.type, RefType)
            first = self.symbols.own_first[place.struct, declared.name]
            return OwnRef(
                place.struct,
                declared.name,
                place.reference,
                first,
                declared.type.struct,
                place.error,
            ), declared.type
        self.count_access(place, text_of(node))
        load = LoadField(place.struct, declared.name, place.reference, place.index, place.error)
        return load, declared.type

    # ---- calls -------------------------------------------------------------------------

    def _build_call(self, node: ast.Call) -> tuple[Expr, Type]:
        name = node.func.id if isinstance(node.func, ast.Name) else text_of(node.func)
        if name in ("min", "max") and len(node.args) == 2:
            sides = [self.value_for(item, INT, "an argument") for item in node.args]
            return binary(name, sides[0], sides[1]), INT
        function = self.symbols.function(name)
        if function is None:
            self.error(node, f"unknown function {name}", self.symbols.nearest(name))
            return Const(0), INT
        if not function.is_atomic:
            cure = (
                "an atomic block or function calls atomic functions only"
                if self.atomic
                else f"write x = {name}(...) on a line of its own"
            )
            self.error(node, f"{name} is a step function and cannot be called here", cure)
            return Const(0), INT
        if not self.may_call:
            self.error(
                node,
                "a wait condition reads only locals and fields of current",
                "let the waker write a flag of this thread",
            )
        self.accesses.append(f"{name}()")
        arguments = self.arguments(node, function)
        returns = self.symbols.type_of(function.node.returns, function.source)
        return AtomicCall(name, tuple(arguments)), returns

    def arguments(self, node: ast.Call, function: FunctionSource) -> list[Expr]:
        """IR of the arguments of a call, checked against the parameters."""
        parameters = function.node.args.args
        if node.keywords or len(node.args) != len(parameters):
            names = ", ".join(item.arg for item in parameters)
            self.error(
                node, f"{function.name} takes {len(parameters)} arguments by position", f"({names})"
            )
            return [Const(0)] * len(parameters)
        result = []
        for value, parameter in zip(node.args, parameters, strict=True):
            kind = self.symbols.type_of(parameter.annotation, function.source)
            result.append(
                self.value_for(value, kind, f"argument {parameter.arg} of {function.name}")
            )
        return result

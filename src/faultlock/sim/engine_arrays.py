# SPDX-License-Identifier: GPL-2.0-only
"""Lines of LLVM IR with the elements of the engine's arrays in them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import numpy as np

from faultlock.sim.compiled import CompiledFunction
from faultlock.sim.engine_text import TYPES, EngineCodeError
from faultlock.sim.handle import DIMENSIONS, ELEMENTS, FIELDS, SIZES

ELEMENT_KINDS: dict[type[np.generic], str] = {
    np.int64: "int",
    np.uint64: "word",
    np.float64: "float",
    np.uint8: "int",
}


@dataclass(frozen=True)
class Value:
    """An operand of LLVM and the kind of what it holds; parts: of a tuple."""

    kind: str
    text: str = ""
    parts: tuple[Value, ...] = ()


@dataclass(frozen=True)
class View:
    """An array of the engine, or a row of one: `dropped` of its dimensions are taken."""

    field: str
    base: str  # pointer operand
    dropped: int = 0


class ArrayWriter:
    """Writes lines, loads and stores; the expressions are in engine_values.py."""

    def __init__(self, function: CompiledFunction) -> None:
        self.function = function
        self.head: list[str] = []  # allocas
        self.lines: list[str] = []
        self.count = 0
        self.ended = False
        self.names: dict[str, str] = {}  # local -> kind
        self.views: dict[str, tuple[str, int]] = {}  # local -> array, dropped dimensions
        self.callees: list[CompiledFunction] = []

    def wrong(self, node: ast.AST, text: str = "") -> EngineCodeError:
        """What to raise about this node."""
        what = text or f"the engine's compiler does not know {ast.unparse(node)!r}"
        return EngineCodeError(f"{self.function.file}:{getattr(node, 'lineno', 0)}: {what}")

    # ---- text

    def emit(self, text: str) -> None:
        """A line that yields nothing, unless it cannot be reached."""
        if not self.ended:
            self.lines.append(f"  {text}")

    def define(self, text: str) -> str:
        """A line that yields a value: its name."""
        self.count += 1
        self.emit(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def label(self) -> str:
        self.count += 1
        return f"b{self.count}"

    def start(self, label: str) -> None:
        """Begin a block that branches lead to."""
        self.lines.append(f"{label}:")
        self.ended = False

    def end(self, text: str) -> None:
        """End the block."""
        self.emit(text)
        self.ended = True

    # ---- values

    def value(self, node: ast.expr) -> Value:
        """A number or truth value.  Raises EngineCodeError."""
        raise self.wrong(node)

    def as_kind(self, value: Value, kind: str, node: ast.AST) -> str:
        """The operand as this kind: whole numbers become floats, truth values whole numbers."""
        if value.kind == kind:
            return value.text
        if (value.kind, kind) == ("int", "float"):
            return self.define(f"sitofp i64 {value.text} to double")
        if (value.kind, kind) == ("bool", "int"):
            return self.define(f"zext i1 {value.text} to i64")
        raise self.wrong(node, f"{ast.unparse(node)!r} is of type {value.kind}, not {kind}")

    # ---- arrays

    def view(self, node: ast.expr) -> View | None:
        """The array or row that an expression is, None when it is none."""
        if isinstance(node, ast.Name) and node.id in self.views:
            field, dropped = self.views[node.id]
            return View(field, self.define(f"load ptr, ptr %{node.id}.local"), dropped)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if self.names.get(node.value.id) != "engine":
                return None
            if node.attr not in FIELDS:
                raise self.wrong(node, f"Engine has no array {node.attr}")
            return View(node.attr, self.word("ptr", FIELDS[node.attr]))
        if isinstance(node, ast.Subscript):
            whole = self.view(node.value)
            indices = indices_of(node)
            if whole is not None and len(indices) < len(DIMENSIONS[whole.field]) - whole.dropped:
                return View(whole.field, *self.place(node, whole, indices))
        return None

    def word(self, kind: str, number: int) -> str:
        """A word behind the handle; it stays the same during a run."""
        place = self.define(f"getelementptr i64, ptr %engine, i64 {number}")
        return self.define(f"load {kind}, ptr {place}, !invariant.load !0")

    def size(self, field: str, dimension: int) -> str:
        size = DIMENSIONS[field][dimension]
        return str(size) if isinstance(size, int) else self.word("i64", SIZES[size])

    def place(self, node: ast.AST, view: View, indices: list[ast.expr]) -> tuple[str, int]:
        """Address of an element or row, and how many dimensions are taken then."""
        dimension = view.dropped
        rank = len(DIMENSIONS[view.field])
        if dimension + len(indices) > rank:
            raise self.wrong(node, f"Engine.{view.field} has {rank} dimensions")
        flat = "0"
        for index in indices:
            operand = self.as_kind(self.value(index), "int", index)
            if flat != "0":
                scaled = self.define(f"mul nsw i64 {flat}, {self.size(view.field, dimension)}")
                flat = self.define(f"add nsw i64 {scaled}, {operand}")
            else:
                flat = operand
            dimension += 1
        for rest in range(dimension, rank):
            flat = self.define(f"mul nsw i64 {flat}, {self.size(view.field, rest)}")
        kind = element_type(view.field)
        return self.define(f"getelementptr inbounds {kind}, ptr {view.base}, i64 {flat}"), dimension

    def element(self, node: ast.Subscript) -> tuple[View, str]:
        """The array of an element and its address."""
        view = self.view(node.value)
        if view is None:
            raise self.wrong(node)
        address, taken = self.place(node, view, indices_of(node))
        if taken < len(DIMENSIONS[view.field]):
            raise self.wrong(node, f"{ast.unparse(node)!r} is a row, not a number")
        return view, address

    def load_element(self, view: View, address: str) -> Value:
        kind, tag = element_type(view.field), 2 * FIELDS[view.field] + 3
        text = self.define(f"load {kind}, ptr {address}, !tbaa !{tag}")
        if kind == "i8":
            text = self.define(f"zext i8 {text} to i64")
        return Value(ELEMENT_KINDS[ELEMENTS[view.field]], text)

    def store_element(self, view: View, address: str, value: Value, node: ast.AST) -> None:
        kind, tag = element_type(view.field), 2 * FIELDS[view.field] + 3
        text = self.as_kind(value, ELEMENT_KINDS[ELEMENTS[view.field]], node)
        if kind == "i8":
            text = self.define(f"trunc i64 {text} to i8")
        self.emit(f"store {kind} {text}, ptr {address}, !tbaa !{tag}")

    def load(self, node: ast.Subscript) -> Value:
        """An element of an array, or a size: array.shape[0]."""
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            view = self.view(node.value.value)
            if view is not None:
                dimension: int = ast.literal_eval(node.slice)
                return Value("int", self.size(view.field, view.dropped + dimension))
        return self.load_element(*self.element(node))


def indices_of(node: ast.Subscript) -> list[ast.expr]:
    """The indices of array[i] or array[i, j]."""
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def element_type(field: str) -> str:
    """LLVM type of an array's elements in memory."""
    return "i8" if ELEMENTS[field] is np.uint8 else TYPES[ELEMENT_KINDS[ELEMENTS[field]]]

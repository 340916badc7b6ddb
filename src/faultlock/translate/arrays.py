# SPDX-License-Identifier: GPL-2.0-only
"""Lines of LLVM IR with NamedTuples, arrays and rows in them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from faultlock.translate.functions import CompiledFunction
from faultlock.translate.kinds import ELEMENTS, ArrayKind, StructKind
from faultlock.translate.operands import OperandWriter, Value
from faultlock.translate.source import resolve

Size = str | tuple[str, int]  # an operand, or a NamedTuple's pointer and the word that holds it


@dataclass(frozen=True)
class View:
    """An array, a row or another view of one."""

    element: str
    base: str  # pointer operand
    sizes: tuple[Size, ...]
    tag: str = ""  # which array of a NamedTuple it is in; "": not known


@dataclass(frozen=True)
class Struct:
    """A NamedTuple: a pointer to its words."""

    kind: StructKind
    base: str


class ModuleParts:
    """What the functions of one module share: constant arrays, and the metadata of arrays."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}  # name -> definition
        self.tags: dict[str, int] = {}  # array of a NamedTuple -> number of its metadata

    def tag(self, array: str) -> int:
        """The metadata of accesses to an array."""
        return self.tags.setdefault(array, 2 * len(self.tags) + 2) + 1

    def lines(self) -> list[str]:
        """Each array of a NamedTuple has memory of its own: what is written to one leaves the
        others as they were."""
        tags = [f'!{number} = !{{!"{name}", !1, i64 0}}\n'
                f"!{number + 1} = !{{!{number}, !{number}, i64 0}}"
                for name, number in self.tags.items()]
        return ['!0 = !{}\n!1 = !{!"an array of a NamedTuple"}', *tags,
                *(self.tables[name] for name in sorted(self.tables))]


class ArrayWriter(OperandWriter):
    """Writes loads and stores; the expressions are in values.py."""

    def __init__(self, function: CompiledFunction, parts: ModuleParts) -> None:
        super().__init__(function)
        self.parts = parts  # of the module
        self.views: dict[str, View] = {}  # by local name
        self.structs: dict[str, Struct] = {}

    def value(self, node: ast.expr) -> Value:
        """A number, truth value or tuple.  Raises CompiledTextError."""
        raise self.wrong(node)

    def number(self, node: ast.expr) -> str:
        """The operand of a whole number, for an index or size; a word will do."""
        value = self.value(node)
        return value.text if value.kind == "word" else self.as_kind(value, "int", node)

    # ---- NamedTuples

    def struct(self, node: ast.expr) -> Struct | None:
        """The NamedTuple that an expression is, None when it is none."""
        if isinstance(node, ast.Name):
            return self.structs.get(node.id)
        if isinstance(node, ast.Attribute):
            whole = self.struct(node.value)
            field = whole.kind.fields.get(node.attr) if whole else None
            if whole is not None and field is not None and isinstance(field.kind, StructKind):
                return Struct(field.kind, self.place_of(whole.base, field.word))
        return None

    def place_of(self, base: str, word: int) -> str:
        """The address of a word of a NamedTuple."""
        return self.define(f"getelementptr i64, ptr {base}, i64 {word}")

    def word_of(self, base: str, word: int, kind: str = "i64") -> str:
        """A word of a NamedTuple; it never changes."""
        return self.define(f"load {kind}, ptr {self.place_of(base, word)}, !invariant.load !0")

    def field(self, node: ast.Attribute) -> Value | View | None:
        """A number or array that is a field of a NamedTuple; None: it is none."""
        whole = self.struct(node.value)
        if whole is None:
            return None
        name = whole.kind.python.__name__
        field = whole.kind.fields.get(node.attr)
        if field is None:
            raise self.wrong(node, f"{name} has no number and no array {node.attr}")
        if isinstance(field.kind, str):
            return Value(field.kind, self.word_of(whole.base, field.word))
        if isinstance(field.kind, StructKind):
            return None
        base = self.word_of(whole.base, field.word, "ptr")
        sizes = tuple(each if isinstance(each, str) else (whole.base, each)
                      for each in field.sizes)
        return View(field.kind.element, base, sizes, f"{name}.{node.attr}")

    # ---- arrays

    def view(self, node: ast.expr) -> View | None:
        """The array, row or view that an expression is, None when it is none."""
        if isinstance(node, ast.Name):
            return self.views.get(node.id) or self.table(node.id)
        if isinstance(node, ast.Attribute):
            found = self.field(node)
            return found if isinstance(found, View) else None
        if isinstance(node, ast.Subscript):
            return self.part(node)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                and node.func.attr == "view" and len(node.args) == 1):
            whole = self.view(node.func.value)
            if whole is not None:
                return self.reinterpreted(node, whole)
        return None

    def table(self, name: str) -> View | None:
        """A constant array of a module."""
        import numpy as np

        found = resolve(self.function, name)
        if not isinstance(found, np.ndarray) or found.dtype != np.uint64 or found.ndim != 1:
            return None
        symbol = f"@{self.function.module}.{name}"
        words = ", ".join(f"i64 {int(each)}" for each in found)
        self.parts.tables[symbol] = f"{symbol} = internal constant [{len(found)} x i64] [{words}]"
        return View("U64", symbol, (str(len(found)),), f"constant {name}")

    def reinterpreted(self, node: ast.Call, whole: View) -> View:
        """array.view(np.uint8): the last dimension has more or fewer elements."""
        names = {"np.uint8": "U8", "np.int16": "I16", "np.uint64": "U64"}
        element = names.get(ast.unparse(node.args[0]))
        if element is None or len(whole.sizes) != 1:
            raise self.wrong(node)
        times = ELEMENTS[whole.element].bytes // ELEMENTS[element].bytes
        size = self.define(f"mul nsw i64 {self.size(whole, 0)}, {times}")
        return replace(whole, element=element, sizes=(size,))

    def part(self, node: ast.Subscript) -> View | None:
        """A row (a[i], a[i, j]) or the rest of one (a[n:], a[i, n:]); None: neither."""
        whole = self.view(node.value)
        indices = indices_of(node)
        if whole is None:
            return None
        last = indices[-1]
        if isinstance(last, ast.Slice):
            if last.lower is None or last.upper is not None or last.step is not None:
                raise self.wrong(node)
            if len(indices) != len(whole.sizes):
                raise self.wrong(node)
            row = self.row(node, whole, indices[:-1])
            start = self.number(last.lower)
            size = self.define(f"sub nsw i64 {self.size(row, 0)}, {start}")
            return replace(row, base=self.shifted(row, start), sizes=(size,))
        return self.row(node, whole, indices) if len(indices) < len(whole.sizes) else None

    def row(self, node: ast.Subscript, whole: View, indices: Sequence[ast.expr]) -> View:
        """The part of an array that these indices leave."""
        if not indices:
            return whole
        return replace(whole, base=self.place(node, whole, indices),
                       sizes=whole.sizes[len(indices):])

    def size(self, view: View, dimension: int) -> str:
        """The operand of a size; one that stands in a word is loaded where it is needed."""
        size = view.sizes[dimension]
        return size if isinstance(size, str) else self.word_of(*size)

    def sized(self, view: View) -> View:
        """The view with all sizes as operands, for use in blocks further down."""
        sizes = tuple(self.size(view, each) for each in range(len(view.sizes)))
        return replace(view, sizes=sizes)

    def shifted(self, view: View, index: str) -> str:
        """Address of an element by its number."""
        kind = ELEMENTS[view.element].type
        return self.define(f"getelementptr inbounds {kind}, ptr {view.base}, i64 {index}")

    def place(self, node: ast.Subscript, view: View, indices: Sequence[ast.expr]) -> str:
        """Address of an element or row."""
        if len(indices) > len(view.sizes):
            raise self.wrong(node, f"{ast.unparse(node.value)} has {len(view.sizes)} dimensions")
        flat = "0"
        for position in range(len(view.sizes)):
            if flat != "0":
                flat = self.define(f"mul nsw i64 {flat}, {self.size(view, position)}")
            if position < len(indices):
                operand = self.number(indices[position])
                flat = operand if flat == "0" else self.define(f"add nsw i64 {flat}, {operand}")
        return self.shifted(view, flat)

    def element(self, node: ast.Subscript) -> tuple[View, str]:
        """The array of an element and its address."""
        view = self.view(node.value)
        indices = indices_of(node)
        if view is None:
            raise self.wrong(node)
        if len(indices) < len(view.sizes):
            raise self.wrong(node, f"{ast.unparse(node)!r} is a row, not a number")
        return view, self.place(node, view, indices)

    def tagged(self, view: View) -> str:
        """The end of a load or store that says which array it is of."""
        return f", !tbaa !{self.parts.tag(view.tag)}" if view.tag else ""

    def load_element(self, view: View, address: str) -> Value:
        """The number at the address of an element."""
        element = ELEMENTS[view.element]
        text = self.define(f"load {element.type}, ptr {address}{self.tagged(view)}")
        if element.widening:
            text = self.define(f"{element.widening} {element.type} {text} to i64")
        return Value(element.kind, text)

    def store_element(self, view: View, address: str, value: Value, node: ast.AST) -> None:
        """Store a number; bits that do not fit are cut off."""
        element = ELEMENTS[view.element]
        same_bits = {value.kind, element.kind} == {"int", "word"}
        text = value.text if same_bits else self.as_kind(value, element.kind, node)
        if element.widening:
            text = self.define(f"trunc i64 {text} to {element.type}")
        self.emit(f"store {element.type} {text}, ptr {address}{self.tagged(view)}")

    def load(self, node: ast.Subscript) -> Value:
        """An element of an array, or a size: array.shape[0]."""
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            view = self.view(node.value.value)
            if view is not None:
                return Value("int", self.size(view, ast.literal_eval(node.slice)))
        return self.load_element(*self.element(node))

    def passed(self, node: ast.expr, kind: ArrayKind | StructKind) -> list[str]:
        """The operands of an argument that is an array or NamedTuple."""
        if isinstance(kind, StructKind):
            struct = self.struct(node)
            if struct is None or struct.kind is not kind:
                raise self.wrong(node, f"{ast.unparse(node)!r} is no {kind.python.__name__}")
            return [f"ptr {struct.base}"]
        view = self.view(node)
        if view is None or (view.element, len(view.sizes)) != (kind.element, kind.dimensions):
            raise self.wrong(node, f"{ast.unparse(node)!r} is no array of {kind.dimensions} "
                                   f"dimensions of {kind.element}")
        return [f"ptr {view.base}", *(f"i64 {each}" for each in self.sized(view).sizes)]


def indices_of(node: ast.Subscript) -> list[ast.expr]:
    """The indices of array[i] or array[i, j]."""
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]

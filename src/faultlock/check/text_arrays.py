# SPDX-License-Identifier: GPL-2.0-only
"""Lines of LLVM IR with arrays, rows and NamedTuples in them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from faultlock.check.compiled import CompiledFunction
from faultlock.check.text_types import CompiledTextError, StructType

# element -> (type in memory, bytes, kind of the value, how it is widened)
ELEMENT_TYPES = {
    "U8": ("i8", 1, "int", "zext"), "U16": ("i16", 2, "int", "zext"),
    "U32": ("i32", 4, "int", "zext"), "I16": ("i16", 2, "int", "sext"),
    "I64": ("i64", 8, "int", ""), "U64": ("i64", 8, "word", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """An operand of LLVM and the kind of what it holds; parts: of a tuple."""

    kind: str
    text: str = ""
    parts: tuple[Value, ...] = ()


@dataclass(frozen=True)
class View:
    """An array, a row or another view of one."""

    element: str
    base: str  # pointer operand
    sizes: tuple[str, ...]  # operands
    tag: str = ""  # which array of a NamedTuple it is in; "": not known


@dataclass(frozen=True)
class Struct:
    """A NamedTuple: a pointer to its words."""

    type: StructType
    base: str


class ArrayWriter:
    """Writes lines, loads and stores; the expressions are in text_values.py."""

    def __init__(self, function: CompiledFunction, tags: dict[str, int],
                 tables: dict[str, str]) -> None:
        self.function = function
        self.tags = tags  # array -> number of its metadata
        self.tables = tables  # constant arrays: name -> definition
        self.head: list[str] = []  # allocas
        self.lines: list[str] = []
        self.count = 0
        self.ended = False
        self.names: dict[str, str] = {}  # local number -> kind
        self.views: dict[str, View] = {}
        self.structs: dict[str, Struct] = {}
        self.callees: list[CompiledFunction] = []

    def wrong(self, node: ast.AST, text: str = "") -> CompiledTextError:
        """What to raise about this node."""
        what = text or f"compiled functions may not contain {ast.unparse(node)!r}"
        return CompiledTextError(f"{self.function.file}:{getattr(node, 'lineno', 0)}: {what}")

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
        """A number or truth value.  Raises CompiledTextError."""
        raise self.wrong(node)

    def as_kind(self, value: Value, kind: str, node: ast.AST) -> str:
        """The operand as this kind: a truth value may be a number, a literal a word."""
        if value.kind == kind:
            return value.text
        if value.kind == "bool" and kind in ("int", "word"):
            return self.define(f"zext i1 {value.text} to i64")
        if (value.kind, kind) == ("int", "word") and is_literal(value.text):
            return value.text
        raise self.wrong(node, f"{ast.unparse(node)!r} is of kind {value.kind}, not {kind}")

    def number(self, node: ast.expr) -> str:
        """The operand of a whole number, for an index or size; a word will do."""
        value = self.value(node)
        return value.text if value.kind in ("int", "word") else self.as_kind(value, "int", node)

    # ---- NamedTuples

    def struct(self, node: ast.expr) -> Struct | None:
        """The NamedTuple that an expression is, None when it is none."""
        if isinstance(node, ast.Name):
            return self.structs.get(node.id)
        if isinstance(node, ast.Attribute):
            whole = self.struct(node.value)
            field = whole.type.fields.get(node.attr) if whole else None
            if whole is not None and field is not None and isinstance(field.type, StructType):
                return Struct(field.type, self.place_of(whole, field.word))
        return None

    def place_of(self, struct: Struct, word: int) -> str:
        return self.define(f"getelementptr i64, ptr {struct.base}, i64 {word}")

    def word_of(self, struct: Struct, word: int, kind: str = "i64") -> str:
        """A word of a NamedTuple; it never changes."""
        place = self.place_of(struct, word)
        return self.define(f"load {kind}, ptr {place}, !invariant.load !0")

    def field(self, node: ast.Attribute) -> Value | View | None:
        """A number or array that is a field of a NamedTuple; None: it is none."""
        whole = self.struct(node.value)
        if whole is None:
            return None
        field = whole.type.fields.get(node.attr)
        if field is None:
            raise self.wrong(node, f"{whole.type.python.__name__} has no {node.attr}")
        if isinstance(field.type, str):
            return Value(field.type, self.word_of(whole, field.word))
        if isinstance(field.type, StructType):
            return None
        element, rank = field.type
        base = self.word_of(whole, field.word, "ptr")
        sizes = tuple(self.word_of(whole, field.word + 1 + each) for each in range(rank))
        return View(element, base, sizes, f"{whole.type.python.__name__}.{node.attr}")

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

        from faultlock.check.text_values import resolve

        found = resolve(self.function, name)
        if not isinstance(found, np.ndarray) or found.dtype != np.uint64 or found.ndim != 1:
            return None
        symbol = f"@{name}"
        words = ", ".join(f"i64 {int(each)}" for each in found)
        self.tables[symbol] = (f"{symbol} = internal constant [{len(found)} x i64] [{words}]")
        return View("U64", symbol, (str(len(found)),), f"constant {name}")

    def reinterpreted(self, node: ast.Call, whole: View) -> View:
        """array.view(np.uint8): the last dimension has more or fewer elements."""
        names = {"np.uint8": "U8", "np.int16": "I16", "np.uint64": "U64"}
        element = names.get(ast.unparse(node.args[0]))
        if element is None or len(whole.sizes) != 1:
            raise self.wrong(node)
        times = ELEMENT_TYPES[whole.element][1] // ELEMENT_TYPES[element][1]
        size = self.define(f"mul nsw i64 {whole.sizes[0]}, {times}")
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
            size = self.define(f"sub nsw i64 {row.sizes[0]}, {start}")
            return replace(row, base=self.shifted(row, start), sizes=(size,))
        return self.row(node, whole, indices) if len(indices) < len(whole.sizes) else None

    def row(self, node: ast.AST, whole: View, indices: Sequence[ast.expr]) -> View:
        if not indices:
            return whole
        return replace(whole, base=self.place(node, whole, indices),
                       sizes=whole.sizes[len(indices):])

    def shifted(self, view: View, index: str) -> str:
        kind = ELEMENT_TYPES[view.element][0]
        return self.define(f"getelementptr inbounds {kind}, ptr {view.base}, i64 {index}")

    def place(self, node: ast.AST, view: View, indices: Sequence[ast.expr]) -> str:
        """Address of an element or row."""
        if len(indices) > len(view.sizes):
            raise self.wrong(node, f"the array has {len(view.sizes)} dimensions")
        flat = "0"
        for position, size in enumerate(view.sizes):
            if flat != "0":
                flat = self.define(f"mul nsw i64 {flat}, {size}")
            if position < len(indices):
                operand = self.number(indices[position])
                flat = operand if flat == "0" else self.define(f"add nsw i64 {flat}, {operand}")
        return self.shifted(view, flat)

    def element(self, node: ast.Subscript) -> tuple[View, str]:
        """The array of an element and its address."""
        view = self.view(node.value)
        indices = indices_of(node)
        if view is None or len(indices) != len(view.sizes):
            raise self.wrong(node)
        return view, self.place(node, view, indices)

    def tagged(self, view: View) -> str:
        """The metadata of accesses to an array."""
        if not view.tag:
            return ""
        number = self.tags.setdefault(view.tag, 2 * len(self.tags) + 2)
        return f", !tbaa !{number + 1}"

    def load_element(self, view: View, address: str) -> Value:
        kind, _, value_kind, widening = ELEMENT_TYPES[view.element]
        text = self.define(f"load {kind}, ptr {address}{self.tagged(view)}")
        if widening:
            text = self.define(f"{widening} {kind} {text} to i64")
        return Value(value_kind, text)

    def store_element(self, view: View, address: str, value: Value, node: ast.AST) -> None:
        """Store a number; what does not fit is cut off."""
        kind = ELEMENT_TYPES[view.element][0]
        wide = value.kind in ("int", "word")
        text = value.text if wide else self.as_kind(value, "int", node)
        if kind != "i64":
            text = self.define(f"trunc i64 {text} to {kind}")
        self.emit(f"store {kind} {text}, ptr {address}{self.tagged(view)}")


def indices_of(node: ast.Subscript) -> list[ast.expr]:
    """The indices of array[i] or array[i, j]."""
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def is_literal(text: str) -> bool:
    """Whether an operand is a number."""
    return text.lstrip("-").isdigit()

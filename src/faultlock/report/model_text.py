# SPDX-License-Identifier: GPL-2.0-only
"""The text of a model as people read it: items with their places, and two policies compared.

Nothing is compiled: this also works on a policy that does not compile yet.
"""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass

from faultlock.errors import FaultlockError, LanguageErrors
from faultlock.lang.model import load_model
from faultlock.lang.source import Namespace, Source, read_sources


@dataclass(frozen=True)
class Item:
    """A function, struct, enum, constant, parameter or type of a model and its text."""

    kind: str
    name: str
    file: str
    line: int  # of the first line of `lines`
    lines: tuple[str, ...]
    doc: str  # first line of its docstring
    replaces: str = ""  # file:line of the function that a policy replaced

    @property
    def place(self) -> str:
        """`kernel/filemap.py:120`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ModelText:
    """All items of one policy composed with the kernel, by name, in reading order."""

    policy: str
    doc: str
    items: dict[str, Item]
    called_by: dict[str, tuple[str, ...]]

    def item(self, name: str) -> Item:
        """The item of that name.  Raises FaultlockError with the nearest names."""
        if name in self.items:
            return self.items[name]
        near = difflib.get_close_matches(name, self.items, 3, 0.6)
        near += [other for other in self.items if name in other and other not in near][:5]
        hint = f"did you mean {', '.join(near)}?" if near else "see faultlock list functions"
        raise FaultlockError(f"{name}: nothing of that name in policy {self.policy}; {hint}")


def read_model_text(policy: str) -> ModelText:
    """The composed text of `policy`: a shipped name, a file, or several joined with `+`.

    Raises FaultlockError (no such policy) or LanguageErrors (a file is no Python text).
    """
    model = load_model(policy)
    broken = [source.problem for source in model.sources if source.problem is not None]
    if broken:
        raise LanguageErrors(broken)
    space = model.namespace()
    kernel = read_sources([source for source in model.sources if not source.policy], [])
    items = dict(sorted(_items(space, kernel), key=lambda pair: (pair[1].file, pair[1].line)))
    policies = [source for source in model.sources if source.policy]
    doc = ast.get_docstring(policies[-1].tree) if policies else ""
    return ModelText(policy, doc or "", items, _callers(space, items))


def _item(kind: str, name: str, node: ast.AST, source: Source, replaces: str = "") -> Item:
    decorators = getattr(node, "decorator_list", [])
    first = min([getattr(node, "lineno", 1), *(item.lineno for item in decorators)])
    last = getattr(node, "end_lineno", first)
    documented = isinstance(node, ast.FunctionDef | ast.ClassDef)
    doc = (ast.get_docstring(node) or "") if documented else ""  # type: ignore[arg-type]
    lines = tuple(source.lines[first - 1 : last])
    return Item(kind, name, source.path, first, lines, doc.split("\n")[0], replaces)


def _items(space: Namespace, kernel: Namespace) -> list[tuple[str, Item]]:
    tables = (
        ("constant", space.constants),
        ("parameter", space.parameters),
        ("type", space.aliases),
        ("enum", space.enums),
        ("struct", space.structs),
    )
    found = [
        (name, _item(kind, name, node, source))
        for kind, table in tables
        for name, (node, source) in table.items()
    ]
    for name, function in space.functions.items():
        old = kernel.functions.get(name) if function.source.policy else None
        place = f"{old.source.path}:{old.node.lineno}" if old else ""
        kind = "atomic function" if function.is_atomic else "function"
        found.append((name, _item(kind, name, function.node, function.source, place)))
    return found


def _callers(space: Namespace, items: dict[str, Item]) -> dict[str, tuple[str, ...]]:
    callers: dict[str, list[str]] = {}
    for name, function in space.functions.items():
        called = {
            node.func.id
            for node in ast.walk(function.node)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for other in called & items.keys():
            callers.setdefault(other, []).append(name)
    return {name: tuple(sorted(names)) for name, names in callers.items()}


# ---- two policies side by side ---------------------------------------------------------------

_REMARK = re.compile(r"(?<=\S)\s+# .*$")
SAME, CHANGED, REMOVED, ADDED, FOLDED = " ", "|", "<", ">", "~"


@dataclass(frozen=True)
class Row:
    """One line of a side-by-side view; a side without a line has number 0.

    `mark`: blank (same), | changed, < only left, > only right, ~ same lines left out.
    """

    mark: str
    left_line: int = 0
    left: str = ""
    right_line: int = 0
    right: str = ""


@dataclass(frozen=True)
class ItemDiff:
    """How one item differs; `left` or `right` is None when it is on one side only."""

    name: str
    left: Item | None
    right: Item | None
    rows: tuple[Row, ...]

    @property
    def verb(self) -> str:
        """What the right policy did to it: gone, added or changed."""
        return "gone" if self.right is None else "added" if self.left is None else "changed"


def differences(left: ModelText, right: ModelText, context_lines: int = 3) -> list[ItemDiff]:
    """Every item whose text is not the same in both, in the order of the left model."""
    names = [*left.items, *(name for name in right.items if name not in left.items)]
    found = []
    for name in names:
        one, other = left.items.get(name), right.items.get(name)
        if one is None or other is None or one.lines != other.lines:
            rows = _side_by_side(one, other)
            found.append(ItemDiff(name, one, other, _fold(rows, context_lines)))
    return found


def _side_by_side(left: Item | None, right: Item | None) -> list[Row]:
    one = left.lines if left else ()
    other = right.lines if right else ()
    first, second = (left.line if left else 0), (right.line if right else 0)
    rows: list[Row] = []
    matcher = difflib.SequenceMatcher(None, _code(one), _code(other), autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        for offset in range(max(end - start, other_end - other_start)):
            a, b = start + offset, other_start + offset
            has_left, has_right = a < end, b < other_end
            mark = CHANGED if has_left and has_right else REMOVED if has_left else ADDED
            rows.append(
                Row(
                    SAME if tag == "equal" else mark,
                    first + a if has_left else 0,
                    one[a] if has_left else "",
                    second + b if has_right else 0,
                    other[b] if has_right else "",
                )
            )
    return rows


def _code(lines: tuple[str, ...]) -> list[str]:
    """The lines without the remark at their end: step numbers (F1, H1) always differ."""
    return [_REMARK.sub("", line) for line in lines]


def _fold(rows: list[Row], context_lines: int) -> tuple[Row, ...]:
    """Leave out unchanged lines that are further than `context_lines` from a change."""
    if context_lines < 0:
        return tuple(rows)
    changed = [number for number, row in enumerate(rows) if row.mark != SAME]
    near = {
        number
        for centre in changed
        for number in range(centre - context_lines, centre + context_lines + 1)
    }
    folded: list[Row] = []
    for number, row in enumerate(rows):
        if number in near:
            folded.append(row)
        elif not folded or folded[-1].mark != FOLDED:
            folded.append(Row(FOLDED))
    return tuple(folded)

# SPDX-License-Identifier: GPL-2.0-only
"""The architecture, held: imports point left only, and model files import nothing.

The order is the line that begins with `layers:` in docs/design.md; packages that stand
between two `<` are neighbours and do not import each other.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.paths import REPOSITORY, SOURCE

MODEL_FOLDERS = ("kernel", "policies", "catalogue")
FOUR_LINES = ("Source:", "Context:", "Returns:", "Left out:")


def layers() -> dict[str, int]:
    """Package or top module -> its place in the line of docs/design.md."""
    design = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
    line = next(line for line in design.splitlines() if line.strip().startswith("layers:"))
    groups = line.split(":", 1)[1].split("<")
    return {name: rank for rank, group in enumerate(groups) for name in group.split()}


def python_files() -> list[Path]:
    return [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] not in MODEL_FOLDERS
    ]


def model_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (SOURCE / folder).rglob("*.py"))


def imported_parts(tree: ast.AST) -> list[tuple[str, int]]:
    """(part of faultlock that is imported, line), imports inside functions included."""
    parts = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "faultlock":
                names = [f"faultlock.{alias.name}" for alias in node.names]
        parts += [
            (name.split(".")[1], node.lineno)
            for name in names
            if name.startswith("faultlock.") and isinstance(node, ast.Import | ast.ImportFrom)
        ]
    return parts


def wrong_imports(part: str, tree: ast.AST, order: dict[str, int]) -> list[str]:
    return [
        f"line {line}: {part} imports {other}"
        for other, line in imported_parts(tree)
        if other != part and order[other] >= order[part]
    ]


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def test_every_part_has_a_place() -> None:
    parts = {part_of(path) for path in python_files()} - {"__init__", "__main__"}
    assert parts == set(layers())


def test_imports_point_left() -> None:
    order = {**layers(), "__main__": 99, "__init__": -1}
    found = []
    for path in python_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path}: {text}" for text in wrong_imports(part_of(path), tree, order)]
    assert not found, "\n".join(found)


def test_an_import_to_the_right_is_found() -> None:
    tree = ast.parse("def f():\n    from faultlock.report import console\n")
    order = {"lang": 1, "report": 2}
    assert wrong_imports("lang", tree, order) == ["line 2: lang imports report"]
    assert wrong_imports("report", ast.parse("import faultlock.lang.source"), order) == []


@pytest.mark.parametrize("path", model_files(*MODEL_FOLDERS), ids=lambda path: path.name)
def test_model_files_import_nothing(path: Path) -> None:
    imports = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not imports


def missing_lines(docstring: str) -> list[str]:
    lines = [line.strip() for line in docstring.splitlines()]
    return [
        wanted
        for wanted in FOUR_LINES
        if not any(line.startswith(wanted) and line != wanted for line in lines)
    ]


@pytest.mark.parametrize("path", model_files("kernel", "policies"), ids=lambda path: path.name)
def test_every_kernel_function_states_its_four_lines(path: Path) -> None:
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            missing = missing_lines(ast.get_docstring(node) or "")
            if missing:
                found.append(f"{path.name}:{node.lineno}: {node.name}: no {', '.join(missing)}")
    assert not found, "\n".join(found)


def test_a_missing_line_is_found() -> None:
    docstring = "One.\n\nSource: x, mm/y.c, 6.12\nContext: none\nReturns:\nLeft out: nothing"
    assert missing_lines(docstring) == ["Returns:"]

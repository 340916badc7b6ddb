# SPDX-License-Identifier: GPL-2.0-only
"""Rules that hold for every file: sizes, licence line, docstrings, no promises, no stubs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import REPOSITORY, SOURCE

MAX_FILE_LINES = 350
MAX_MODEL_FILE_LINES = 600  # a subsystem is one file; a third of it is docstrings
MAX_FUNCTION_LINES = 50
SPDX = "SPDX-License-Identifier: GPL-2.0-only"
FOLDERS = ("src", "tests", "scripts", "bench", "docs", ".ci")
SUFFIXES = (".py", ".c", ".h", ".toml", ".md", ".css", ".js", ".html", "run")
WITHOUT_SPDX = (".md", ".html")  # prose, and pages that are templates
MODEL_FOLDERS = ("kernel", "policies", "catalogue")
# Words put together here so that this file passes its own test.
PROMISES = re.compile(
    "|".join(["TO" + "DO", "FIX" + "ME", r"\bXX" + "X\\b", "NotImplemented" + "Error",
              "assert " + r"True\b", "pass  # " + "later"])
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wo" + "rk|ho" + "me|Us" + "ers)/|/tmp/br" + "ief")


def text_files() -> Iterator[Path]:
    """Every text file of the project that people wrote."""
    yield from (REPOSITORY / name for name in ("README.md", "Makefile", "pyproject.toml"))
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            hidden = any(part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
            if path.is_file() and path.name.endswith(SUFFIXES) and not hidden:
                yield path


def python_files() -> list[Path]:
    return [path for path in text_files() if path.suffix == ".py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def is_model(path: Path) -> bool:
    return bool(set(path.parts) & set(MODEL_FOLDERS))


def is_scenario(path: Path) -> bool:
    """Threads and set-ups of a scenario are named by what they do; its docstring says why."""
    return "catalogue" in path.parts


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_are_short() -> None:
    found = []
    for path in python_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > (MAX_MODEL_FILE_LINES if is_model(path) else MAX_FILE_LINES):
            found.append(f"{name_of(path)}: {lines} lines")
    assert not found, "\n".join(found)


def test_functions_are_short() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}: {node.name}"
        for path in python_files()
        if not is_model(path)
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not found, "\n".join(found)


def test_every_file_names_its_licence() -> None:
    found = []
    for path in text_files():
        if path.name.endswith(WITHOUT_SPDX):
            continue
        head = path.read_text(encoding="utf-8").splitlines()[:2]
        if not any(SPDX in line for line in head) and path.name != "pyproject.toml":
            found.append(name_of(path))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pattern", [PROMISES, MACHINE_PATHS], ids=["promises", "machine paths"])
def test_no_file_has(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_patterns_find_what_they_look_for() -> None:
    assert PROMISES.search("# TO" + "DO: more")
    assert MACHINE_PATHS.search("see /ho" + "me/someone/x")
    assert not MACHINE_PATHS.search("the homework of /proc/self/maps")


def test_public_functions_and_classes_have_docstrings() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if is_scenario(path):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None and len(tree.body) > 0:
            found.append(f"{name_of(path)}: the module")
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and ast.get_docstring(node) is None
                and not _is_plain_record(node)
                and node.name not in ("configure", "run")  # the form of every command
                and "overload" not in map(ast.unparse, node.decorator_list)
            ):
                found.append(f"{name_of(path)}:{node.lineno}: {node.name}")
    assert not found, "\n".join(found)


def _is_plain_record(node: ast.AST) -> bool:
    """A dataclass of typed fields or an enum says what it is by its fields."""
    return isinstance(node, ast.ClassDef) and all(
        isinstance(item, ast.AnnAssign | ast.Assign | ast.Pass) for item in node.body
    )


def test_every_test_asserts_something() -> None:
    found = []
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        helpers = {
            node.name for node in functions(path) if _asserts(node, set())
        }
        for node in functions(path):
            if node.name.startswith("test_") and not _asserts(node, helpers):
                found.append(f"{name_of(path)}:{node.lineno}: {node.name}")
        assert source
    assert not found, "\n".join(found)


def _asserts(function: ast.AST, helpers: set[str]) -> bool:
    """An assert statement, pytest.raises/fail, or a call of a function that asserts."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            last = name.rpartition(".")[2]
            if last in helpers or last in ("raises", "fail") or last.startswith("assert_"):
                return True
    return False

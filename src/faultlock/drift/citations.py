# SPDX-License-Identifier: GPL-2.0-only
"""What the model cites: the `Source` lines of kernel/ and policies/, taken apart."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILE = re.compile(r"\b[\w./-]+/[\w.-]+\.[ch]\b")
_VERSION = re.compile(r"\b(\d+\.\d+)\b")
_NAME = re.compile(r"\b[a-z_]\w{3,}\b")


@dataclass(frozen=True, order=True)
class Citation:
    """Model function `function` (file:line) follows kernel function `name` in `path`."""

    path: str
    name: str
    version: str
    function: str
    place: str


def citations_of(source: str) -> Iterator[tuple[str, str, str]]:
    """(kernel file, kernel function, version) of one Source text; parts are divided by `;`.

    A part without a version takes that of a later part; words that are not function names
    are kept too: they are dropped when no fingerprint knows them.
    """
    version = ""
    for part in reversed(source.split(";")):
        versions = _VERSION.findall(part)
        version = versions[-1] if versions else version
        files = _FILE.findall(part)
        names = _NAME.findall(_FILE.sub(" ", part)) or _NAME.findall(_FILE.sub(" ", source))
        for path in files:
            for name in names:
                yield path, name, version


def read_citations(folders: list[Path]) -> list[Citation]:
    """All citations of the model files in these folders, sorted."""
    found: set[Citation] = set()
    for folder in folders:
        for path in sorted(folder.glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body:
                if not isinstance(node, ast.FunctionDef):
                    continue
                text = _source_text(ast.get_docstring(node) or "")
                place = f"{folder.name}/{path.name}:{node.lineno}"
                for file, name, version in citations_of(text):
                    found.add(Citation(file, name, version, node.name, place))
    return sorted(found)


def _source_text(docstring: str) -> str:
    match = re.search(
        r"^\s*Source:\s*(.*?)(?=^\s*(?:Context|Returns|Left out):|\Z)",
        docstring,
        re.DOTALL | re.MULTILINE,
    )
    return " ".join(match.group(1).split()) if match else ""

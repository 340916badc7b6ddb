# SPDX-License-Identifier: GPL-2.0-only
"""Holding the cited kernel functions of a tree against the fingerprints that are kept."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faultlock.drift.citations import Citation
from faultlock.drift.csource import fingerprint, function_texts, read_c_file
from faultlock.errors import FaultlockError

DATA = Path(__file__).parent / "data" / "fingerprints.json"
SCHEMA = "faultlock-fingerprints/1"
SAME, CHANGED, GONE = "same", "changed", "gone"


@dataclass(frozen=True)
class Drift:
    """One cited kernel function: state is same, changed or gone; who in the model follows it."""

    path: str
    name: str
    version: str
    state: str
    followed_by: tuple[str, ...]


@dataclass(frozen=True)
class DriftReport:
    """All cited functions of a tree; `unknown` citations have no fingerprint to compare with."""

    tree_version: str
    functions: tuple[Drift, ...]
    unknown: tuple[str, ...]

    def count(self, state: str) -> int:
        """How many functions are in this state."""
        return sum(item.state == state for item in self.functions)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def tree_version(tree: Path) -> str:
    """Version of a kernel tree from its Makefile; raises FaultlockError when it is none."""
    text = read_c_file(tree / "Makefile")
    numbers = [
        match.group(1)
        for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL")
        if (match := re.search(rf"^{key}\s*=\s*(\d+)", text, re.MULTILINE))
    ]
    if len(numbers) < 2:
        raise FaultlockError(
            f"{tree}: not a Linux source tree (no VERSION in its Makefile); "
            "give the folder that holds mm/ and kernel/"
        )
    return ".".join(numbers)


def take_fingerprints(tree: Path, citations: list[Citation]) -> dict[str, dict[str, str]]:
    """{kernel file: {function: fingerprint}} of what the citations name and the tree has."""
    result: dict[str, dict[str, str]] = {}
    texts: dict[str, str] = {}
    for path, name in sorted({(item.path, item.name) for item in citations}):
        if path not in texts:
            texts[path] = read_c_file(tree / path)
        value = fingerprint(function_texts(texts[path], name))
        if value:
            result.setdefault(path, {})[name] = value
    return result


def load_fingerprints(path: Path = DATA) -> dict[str, dict[str, dict[str, str]]]:
    """{version: {kernel file: {function: fingerprint}}} that ship with the model."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise FaultlockError(f"{path}: not {SCHEMA}; make it again with scripts/fingerprints.py")
    versions: dict[str, dict[str, dict[str, str]]] = data["versions"]
    return versions


def compare_tree(
    tree: Path, citations: list[Citation], kept: dict[str, dict[str, dict[str, str]]]
) -> DriftReport:
    """Which cited functions of `tree` differ from the version that the model cites."""
    version = tree_version(tree)
    now = take_fingerprints(tree, citations)
    followers: dict[tuple[str, str, str], list[str]] = {}
    unknown: set[str] = set()
    for item in citations:
        known = kept.get(item.version, {}).get(item.path, {})
        if item.name in known:
            followers.setdefault((item.path, item.name, item.version), []).append(item.place)
        elif item.version not in kept:
            unknown.add(f"{item.path} {item.name} ({item.version or 'no version'})")
    functions = []
    for (path, name, cited), places in sorted(followers.items()):
        value = now.get(path, {}).get(name, "")
        state = GONE if not value else SAME if value == kept[cited][path][name] else CHANGED
        functions.append(Drift(path, name, cited, state, tuple(sorted(set(places)))))
    return DriftReport(version, tuple(functions), tuple(sorted(unknown)))

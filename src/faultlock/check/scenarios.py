# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue's files: scenarios by name, policies with planted bugs, expected verdicts."""

from __future__ import annotations

import ast
import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlock.errors import FaultlockError
from faultlock.lang.model import PACKAGE, Model, compile_model, load_model
from faultlock.lang.program import Program
from faultlock.lang.source import read_source

CATALOGUE = PACKAGE / "catalogue"
SHARED_FILES = (
    "common", "properties_references", "properties_locks", "properties_files", "properties_waiting",
)  # in the order in which results are listed


@dataclass(frozen=True)
class Scenario:
    """One scenario: its name, its file, its question (first sentence of the docstring)."""

    name: str
    path: Path
    question: str


def scenario_of(path: Path) -> Scenario:
    """Name and question of a scenario file: its docstring begins `NAME: QUESTION`.

    Raises FaultlockError when the file cannot be read."""
    _, _, rest = read_source(path, 0).text.partition('"""')
    line, _, _ = rest.partition("\n")
    name, colon, question = line.partition(": ")
    if not colon or " " in name:
        return Scenario(path.stem.replace("_", "-"), path, line.strip())
    return Scenario(name, path, question.strip().rstrip('"').strip())


def shipped_scenarios() -> dict[str, Scenario]:
    """The scenarios of the catalogue by name, in alphabetical order."""
    found = [
        scenario_of(path)
        for path in sorted(CATALOGUE.glob("*.py"))
        if path.stem not in (*SHARED_FILES, "__init__")
    ]
    return {scenario.name: scenario for scenario in sorted(found, key=lambda item: item.name)}


def find_scenario(name: str) -> Scenario:
    """A shipped scenario, or a file ending in .py.

    Raises FaultlockError naming the nearest scenarios."""
    shipped = shipped_scenarios()
    if name in shipped:
        return shipped[name]
    if name.endswith(".py"):
        return scenario_of(Path(name))
    close = difflib.get_close_matches(name, shipped, n=3, cutoff=0.4)
    cure = f"did you mean {', '.join(close)}?" if close else "`faultlock list` names them"
    raise FaultlockError(f"{name}: no such scenario; {cure}")


def wrong_policies() -> dict[str, Path]:
    """The policies with one planted bug each, by name."""
    return {
        path.stem.replace("_", "-"): path
        for path in sorted((CATALOGUE / "wrong").glob("*.py"))
        if path.stem != "__init__"
    }


def compile_scenario(
    policy: str,
    scenario: Scenario,
    parameters: dict[str, int] | None = None,
    ignored: frozenset[str] = frozenset(),
) -> Program:
    """The Program of a scenario under a policy (a shipped name, a file, or `a+b`).

    Raises FaultlockError, LanguageErrors."""
    return compile_model(_model(policy, [scenario]), parameters or {}, ignored=ignored)


def asserted_properties(policy: str, scenarios: Sequence[Scenario]) -> set[str]:
    """Ids (S6) of the event properties in the texts of kernel, policy and scenarios.

    Raises FaultlockError."""
    statements = (
        node
        for source in _model(policy, scenarios).sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Assert)
    )
    messages = (node.msg.value for node in statements if isinstance(node.msg, ast.Constant))
    return {text.split()[0].rstrip(":") for text in messages if isinstance(text, str) and text}


def _model(policy: str, scenarios: Sequence[Scenario]) -> Model:
    wrong = wrong_policies()
    named = "+".join(str(wrong.get(part, part)) for part in policy.split("+"))
    files = [CATALOGUE / f"{stem}.py" for stem in SHARED_FILES]
    return load_model(named, [*files, *(scenario.path for scenario in scenarios)])


def expected() -> dict[str, Any]:
    """expected.toml: {scenario: {policy: {"violated": [...], "states": n}}}."""
    with open(CATALOGUE / "expected.toml", "rb") as stream:
        return tomllib.load(stream)

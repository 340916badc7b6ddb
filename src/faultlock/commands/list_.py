# SPDX-License-Identifier: GPL-2.0-only
"""`faultlock list`: what is here to be checked, simulated and read."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable
from pathlib import Path

from faultlock.errors import EXIT_OK
from faultlock.report import console

HELP = """\
List what is here: policies, workloads, scenarios; kernel functions and parameters on demand.

  faultlock list
  faultlock list functions --policy hold"""

ALWAYS = ("policies", "workloads", "scenarios")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=list(LISTS), help="one kind (default: policies, workloads, "
        "scenarios)"
    )
    parser.add_argument("-p", "--policy", default="drop-retry", help="whose functions")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def run(arguments: argparse.Namespace) -> int:
    kinds = [arguments.what] if arguments.what else list(ALWAYS)
    lists = {kind: LISTS[kind](arguments.policy) for kind in kinds}
    if arguments.json:
        console.out_json(
            {kind: [{"name": name, "what": what} for name, what in rows]
             for kind, rows in lists.items()}
        )
        return EXIT_OK
    for number, (kind, rows) in enumerate(lists.items()):
        if number:
            console.out()
        console.out(console.paint(f"{kind}:", "head"))
        width = max((len(name) for name, _ in rows), default=0)
        for name, what in rows:
            console.out(f"  {name:<{width}}  {what}".rstrip())
    return EXIT_OK


def _first_line(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").split("\n")[0]


def _policies(_: str) -> list[tuple[str, str]]:
    from faultlock.lang.model import shipped_policies

    return [
        (name, _first_line(path).removeprefix(f"{name}: "))
        for name, path in shipped_policies().items()
    ]


def _workloads(_: str) -> list[tuple[str, str]]:
    from faultlock.workload import library

    rows = []
    grouped = 0
    for name in library.shipped_names():
        if "/" in name:
            grouped += 1
            continue
        rows.append((name, library.load(name).description.split("\n")[0]))
    if grouped:
        rows.append(("ground-truth/...", f"{grouped} more: faultlock workloads lists them"))
    return rows


def _scenarios(_: str) -> list[tuple[str, str]]:
    from faultlock.check.scenarios import shipped_scenarios

    return [(name, scenario.question) for name, scenario in shipped_scenarios().items()]


def _items(*kinds: str) -> Callable[[str], list[tuple[str, str]]]:
    def rows(policy: str) -> list[tuple[str, str]]:
        from faultlock.report.model_text import read_model_text

        items = read_model_text(policy).items.values()
        return [
            (item.name, f"{item.place}  {item.doc or item.lines[0].partition('=')[2].strip()}")
            for item in items
            if item.kind in kinds
        ]

    return rows


LISTS: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "policies": _policies,
    "workloads": _workloads,
    "scenarios": _scenarios,
    "functions": _items("function", "atomic function"),
    "structs": _items("struct", "enum"),
    "parameters": _items("parameter"),
    "constants": _items("constant"),
}

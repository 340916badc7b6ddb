# SPDX-License-Identifier: GPL-2.0-only
"""Checks of a whole model: no recursion, no policy function that nobody uses."""

from __future__ import annotations

import ast
import difflib

from faultlock.lang.labels import Labels
from faultlock.lang.program import AtomicCall, AtomicFunction
from faultlock.lang.source import KERNEL_LAYER, POLICY_LAYER
from faultlock.lang.symbols import Symbols
from faultlock.lang.traverse import expressions_in


def check_recursion(symbols: Symbols, labels: Labels, atomics: dict[str, AtomicFunction]) -> None:
    """Refuse a function that calls itself, directly or through others."""
    calls = {name: list(function.calls) for name, function in labels.functions.items()}
    for name, atomic in atomics.items():
        calls[name] = [p.function for p in expressions_in(atomic.body) if isinstance(p, AtomicCall)]
    state: dict[str, int] = {}

    def visit(name: str) -> None:
        state[name] = 1
        for callee in calls.get(name, []):
            if state.get(callee) == 1:
                function = symbols.space.functions[name]
                symbols.space.error(
                    function.source,
                    function.node,
                    f"{name} calls itself through {callee}",
                    "functions do not recurse; write a loop",
                )
            elif callee not in state:
                visit(callee)
        state[name] = 2

    for name in calls:
        if name not in state:
            visit(name)


def check_unused(symbols: Symbols) -> None:
    """A function of a policy that replaces nothing and that nobody calls is a mistake."""
    functions = symbols.space.functions
    policy = [item for item in functions.values() if item.source.layer == POLICY_LAYER]
    called: set[str] = set()
    for function in policy:  # nobody else can call a function that only a policy has
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
    for function in policy:
        name = function.name
        if not function.overrides and name not in called:
            kernel = [n for n, f in functions.items() if f.source.layer == KERNEL_LAYER]
            close = difflib.get_close_matches(name, kernel, n=2)
            cure = f"did you mean {' or '.join(close)}?" if close else "remove it, or call it"
            symbols.space.error(
                function.source,
                function.node,
                f"{name} replaces no function of the base path and nobody calls it",
                cure,
            )

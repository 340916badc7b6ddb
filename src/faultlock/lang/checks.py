# SPDX-License-Identifier: GPL-2.0-only
"""Checks of a whole model: no recursion, no policy function that nobody uses."""

from __future__ import annotations

import ast

from faultlock.lang.labels import Labels
from faultlock.lang.program import AtomicCall, AtomicFunction
from faultlock.lang.source import KERNEL_LAYER, POLICY_LAYER
from faultlock.lang.symbols import Symbols
from faultlock.lang.traverse import expressions_in
from faultlock.lang.wording import nearest

MAX_CALL_DEPTH = 100  # of functions; the kernel's own text nests less than 30 deep


def check_recursion(symbols: Symbols, labels: Labels, atomics: dict[str, AtomicFunction]) -> None:
    """Refuse a function that calls itself, directly or not, and calls nested too deep."""
    calls = {name: list(function.calls) for name, function in labels.functions.items()}
    for name, atomic in atomics.items():
        calls[name] = [p.function for p in expressions_in(atomic.body) if isinstance(p, AtomicCall)]
    depths: dict[str, int] = {}  # of the functions that were entered and left again
    entered: set[str] = set()

    def refuse(name: str, what: str, cure: str) -> None:
        function = symbols.space.functions[name]
        symbols.space.error(function.source, function.node, what, cure)

    for root in calls:
        way = [(root, iter(calls[root]))] if root not in entered else []
        entered.add(root)
        while way:
            name, rest = way[-1]
            callee = next(rest, None)
            if callee is None:
                way.pop()
                inner = [depths.get(other, 0) for other in calls.get(name, [])]
                depths[name] = 1 + max(inner, default=0)
            elif callee not in entered:
                entered.add(callee)
                way.append((callee, iter(calls.get(callee, []))))
            elif callee not in depths:
                cure = "functions do not recurse; write a loop"
                refuse(name, f"{name} calls itself through {callee}", cure)
    if max(depths.values(), default=0) > MAX_CALL_DEPTH:
        functions = symbols.space.functions
        outermost = max(depths, key=lambda name: (functions[name].source.layer, depths[name]))
        what = f"calls nest more than {MAX_CALL_DEPTH} deep, counted from {outermost}"
        refuse(outermost, what, "call in a row instead")


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
            known = len(symbols.space.errors)
            cure = nearest(name, kernel, known, "remove it, or call it")
            symbols.space.error(
                function.source,
                function.node,
                f"{name} replaces no function of the base path and nobody calls it",
                cure,
            )

# SPDX-License-Identifier: GPL-2.0-only
"""Passes on the control flow: thread pure jumps away, drop what is unreachable, renumber."""

from __future__ import annotations

from functools import partial

from faultlock.lang.labels import Labels
from faultlock.lang.program import PLAIN, Finish, Jump, ReturnJump, Step, Stmt
from faultlock.lang.visit import jump_targets, map_ends


def simplify_control(labels: Labels, roots: list[int]) -> dict[int, int]:
    """Thread jumps, drop unreachable steps, number the rest 1..n; returns old -> new label."""
    thread_jumps(labels)
    return renumber(labels, reachable(labels, roots))


def thread_jumps(labels: Labels) -> None:
    """A jump to a step that only jumps (or only returns) goes straight to its end."""
    final: dict[int, Stmt] = {}
    for label in labels.steps:
        final[label] = _final(labels, label)

    for step in labels.steps.values():
        step.body = map_ends(step.body, partial(_threaded, final, step.function))
    for sites in labels.return_sites.values():
        for index, label in enumerate(sites):
            end = final[label]
            if isinstance(end, Jump):  # a return site must be a step: a bare return stays one
                sites[index] = end.label
    for name, entry in labels.entries.items():
        end = final[entry]
        if isinstance(end, Jump):  # a function that begins with a loop
            labels.entries[name] = end.label
    for call, back in labels.call_returns.items():
        end = final[back]
        if isinstance(end, Jump):
            labels.call_returns[call] = end.label


def _threaded(final: dict[int, Stmt], function: str, statement: Stmt) -> list[Stmt]:
    """A statement of a step of `function`, jumps threaded; a call of a function that only
    returns stays a call, or liveness would not see the way back."""
    if not isinstance(statement, Jump):
        return [statement]
    end = final[statement.label]
    if isinstance(end, ReturnJump) and end.function != function:
        return [statement]
    return [end]


def _final(labels: Labels, label: int) -> Stmt:
    """Where control ends up after following steps that do nothing but jump."""
    seen = {label}
    while True:
        step = labels.steps[label]
        only = step.body[0] if len(step.body) == 1 and step.kind == PLAIN else None
        if isinstance(only, ReturnJump | Finish):
            return only
        if not isinstance(only, Jump) or only.label in seen:
            return Jump(label)  # a real step, or an empty endless loop, which stays a step
        label = only.label
        seen.add(label)


def reachable(labels: Labels, roots: list[int]) -> list[int]:
    """Labels reachable from the roots, in order of creation."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        label = stack.pop()
        if label in seen:
            continue
        seen.add(label)
        step = labels.steps[label]
        stack += jump_targets(step)
        if label in labels.call_returns:
            stack.append(labels.call_returns[label])
    return sorted(seen, key=lambda label: _source_order(labels.steps[label], label))


def _source_order(step: Step, label: int) -> tuple[str, int, int]:
    return (step.file, step.line, label)


def renumber(labels: Labels, keep: list[int]) -> dict[int, int]:
    """Give the kept steps the labels 1..n."""
    new = {old: number for number, old in enumerate(keep, start=1)}

    def change(statement: Stmt) -> list[Stmt]:
        return [Jump(new[statement.label])] if isinstance(statement, Jump) else [statement]

    steps: dict[int, Step] = {}
    for old in keep:
        step = labels.steps[old]
        step.label = new[old]
        step.body = map_ends(step.body, change)
        steps[step.label] = step
    labels.steps = steps
    labels.entries = {name: new[old] for name, old in labels.entries.items() if old in new}
    labels.return_sites = {
        name: [new.get(old, 0) for old in sites] for name, sites in labels.return_sites.items()
    }
    labels.call_returns = {
        new[call]: new[back] for call, back in labels.call_returns.items() if call in new
    }
    labels.functions = {
        name: function for name, function in labels.functions.items() if name in labels.entries
    }
    for name, function in labels.functions.items():
        function.entry = labels.entries[name]
        function.calls = [callee for callee in function.calls if callee in labels.functions]
        function.labels = sorted(new[old] for old in function.labels if old in new)
    return new

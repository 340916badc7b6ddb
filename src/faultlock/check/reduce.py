# SPDX-License-Identifier: GPL-2.0-only
"""What the reductions need to know about a program, from its footprints.

Accesses are (struct, field, only current's).  An access to `current.x` conflicts with an
access to `other.x`, never with another thread's access to its own `current.x`.  For every
label there are four masks of what the step touches and four of what a thread that stands
there may still touch; a step conflicts when any pair has a common bit:

    step writes a shared field         any access from now on
    step reads a shared field          any write from now on
    step writes a field of current     any access to that field of a thread not by itself
    step reads a field of current      any such write

Fields beyond the 256th share bit 255: they conflict more often than needed, never less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from faultlock.check.intrinsics import SEGMENT
from faultlock.lang import program as ir
from faultlock.lang.layout import Layout
from faultlock.lang.traverse import expressions_in, statements

Access = tuple[str, str, bool]
MASK_WORDS = 4
MASK_BITS = 64 * MASK_WORDS


def property_fields(program: ir.Program, function: str) -> set[tuple[str, str]]:
    """(struct, field) that an atomic function and its callees read."""
    found: set[tuple[str, str]] = set()
    waiting, seen = [function], {function}
    while waiting:
        for item in expressions_in(program.atomics[waiting.pop()].body):
            if isinstance(item, ir.LoadField):
                found.add((item.struct, item.field))
            elif isinstance(item, ir.AtomicCall) and item.function not in seen:
                seen.add(item.function)
                waiting.append(item.function)
    return found


def watched_fields(program: ir.Program) -> set[tuple[str, str]]:
    """(struct, field) that any property reads."""
    found: set[tuple[str, str]] = set()
    for item in program.properties:
        found |= property_fields(program, item.function)
    return found


def part_of(word: int, head: int) -> int:
    """The part of the state, one bit of 64, that a word belongs to: the head has its own, else
    a quarter of a segment; parts repeat in long states."""
    return 1 << 63 if word < head else 1 << ((word - head) // (SEGMENT // 4) & 63)


def field_parts(layout: Layout, head: int) -> dict[tuple[str, str], int]:
    """(struct, field) -> the parts of the state (see part_of) that hold it in any instance."""
    found: dict[tuple[str, str], int] = {}
    for variable in layout.variables():
        if variable.key[0] == "field":
            key = (variable.key[1], variable.key[3])
            ends = (variable.place.offset, sum(variable.place[:2]) - 1)
            parts = part_of(ends[0] // 8, head) | part_of(ends[1] // 8, head)
            found[key] = found.get(key, 0) | parts
    return found


def monitor_words(program: ir.Program, parts: dict[tuple[str, str], int], function: str) -> int:
    """The parts of the state that a property reads; parts: of each field."""
    mask = 0
    for key in property_fields(program, function):
        mask |= parts.get(key, 0)
    return mask


def label_monitors(program: ir.Program, monitors: list[ir.Property]) -> Any:
    """u64 [L + 1]: a bit per monitor (the 65th shares that of the first, and so on) that reads
    a field which the step writes."""
    found = np.zeros(len(program.steps) + 1, np.uint64)
    for number, item in enumerate(monitors):
        fields = property_fields(program, item.function)
        for step in program.steps:
            if any((struct, name) in fields for struct, name, _ in step.writes):
                found[step.label] |= np.uint64(1 << (number & 63))
    return found


def visible_labels(program: ir.Program) -> Any:
    """u8 [L + 1]: steps that write what a property reads, or that may fail an assertion."""
    watched = watched_fields(program)
    visible = np.zeros(len(program.steps) + 1, np.uint8)
    for step in program.steps:
        writes = any((struct, name) in watched for struct, name, _ in step.writes)
        visible[step.label] = writes or any(
            isinstance(statement, ir.Assert) for statement in _all_statements(program, step.body)
        )
    return visible


def _all_statements(program: ir.Program, body: Iterable[ir.Stmt]) -> Iterable[ir.Stmt]:
    """The statements of a body and of the atomic functions that it calls."""
    body = list(body)
    yield from statements(body)
    for item in expressions_in(body):
        if isinstance(item, ir.AtomicCall):
            yield from _all_statements(program, program.atomics[item.function].body)


def fused_labels(program: ir.Program, on: bool) -> Any:
    """u8 [L + 1]: local steps, taken together with the step before them."""
    fused = np.zeros(len(program.steps) + 1, np.uint8)
    for step in program.steps:
        fused[step.label] = on and step.is_local and step.kind != ir.CHOOSE
    return fused


def successors_of(program: ir.Program, step: ir.Step, sites: dict[str, set[int]]) -> set[int]:
    """Labels that may follow a step; a return goes to the sites that `sites` names."""
    found: set[int] = set()
    for statement in statements(step.body):
        if isinstance(statement, ir.Jump):
            found.add(statement.label)
        elif isinstance(statement, ir.ReturnJump):
            found |= sites.get(statement.function, set())
    return found - {0}


def return_sites_set(program: ir.Program, step: ir.Step) -> dict[str, set[int]]:
    """function -> labels it returns to when this step calls it."""
    found: dict[str, set[int]] = {}
    for statement in statements(step.body):
        if not isinstance(statement, ir.SetLocal) or statement.target.name != "return site":
            continue
        function = statement.target.function
        sites = program.return_sites.get(function, [])
        if isinstance(statement.value, ir.Const):
            number = statement.value.value
            chosen = [sites[number - 1]] if number else []
        else:
            chosen = list(sites)
        found.setdefault(function, set()).update(label for label in chosen if label)
    return found


def thread_graph(program: ir.Program, entry: int) -> dict[int, set[int]]:
    """Label -> labels that may follow it, for what a thread that starts at `entry` can reach."""
    sites: dict[str, set[int]] = {}
    while True:
        graph: dict[int, set[int]] = {}
        before = {name: set(labels) for name, labels in sites.items()}
        waiting = [entry]
        while waiting:
            label = waiting.pop()
            if label in graph:
                continue
            step = program.step_at(label)
            for name, labels in return_sites_set(program, step).items():
                sites.setdefault(name, set()).update(labels)
            graph[label] = successors_of(program, step, sites)
            waiting.extend(graph[label])
        if sites == before:
            return graph


class _Bits:
    """Numbers of (struct, field), shared by step and future masks."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}

    def mask(self, accesses: Iterable[Access]) -> int:
        mask = 0
        for struct, name, _ in accesses:
            number = self.numbers.setdefault((struct, name), len(self.numbers))
            mask |= 1 << min(number, MASK_BITS - 1)
        return mask


def step_masks(program: ir.Program, bits: _Bits) -> dict[int, tuple[list[int], list[int]]]:
    """Label -> (what the step touches, what others may not touch), four masks each."""
    masks = {}
    for step in program.steps:
        write_any = bits.mask(access for access in step.writes if not access[2])
        write_own = bits.mask(access for access in step.writes if access[2])
        read_any = bits.mask(access for access in step.reads if not access[2])
        read_own = bits.mask(access for access in step.reads if access[2])
        touched = [write_any, read_any, write_own, read_own]
        any_access = write_any | write_own | read_any | read_own
        future = [any_access, write_any | write_own, read_any | write_any, write_any]
        masks[step.label] = (touched, future)
    return masks


def _words(mask: int) -> list[int]:
    return [mask >> 64 * word & (1 << 64) - 1 for word in range(MASK_WORDS)]


def conflict_masks(program: ir.Program) -> tuple[Any, Any]:
    """(step_mask, future_mask) of successors.Machine."""
    labels = len(program.steps) + 1
    masks = step_masks(program, _Bits())
    step_mask = np.zeros((labels, 4, MASK_WORDS), np.uint64)
    future_mask = np.zeros((len(program.threads) + 1, labels, 4, MASK_WORDS), np.uint64)
    for label, (touched, _) in masks.items():
        step_mask[label] = [_words(mask) for mask in touched]
    done: dict[int, int] = {}
    for number, thread in enumerate(program.threads, start=1):
        if thread.entry in done:
            future_mask[number] = future_mask[done[thread.entry]]
            continue
        done[thread.entry] = number
        for label, future in _futures(thread_graph(program, thread.entry), masks).items():
            future_mask[number, label] = [_words(mask) for mask in future]
    return step_mask, future_mask


def _futures(
    graph: dict[int, set[int]], masks: dict[int, tuple[list[int], list[int]]]
) -> dict[int, list[int]]:
    """Label -> union of the future masks of all labels that can follow it, itself included."""
    futures = {label: list(masks[label][1]) for label in graph}
    previous: dict[int, list[int]] = {label: [] for label in graph}
    for label, followers in graph.items():
        for follower in followers:
            previous[follower].append(label)
    waiting = list(graph)
    while waiting:
        label = waiting.pop()
        for before in previous[label]:
            merged = [a | b for a, b in zip(futures[before], futures[label], strict=True)]
            if merged != futures[before]:
                futures[before] = merged
                waiting.append(before)
    return futures

# SPDX-License-Identifier: GPL-2.0-only
# mypy: disable-error-code="no-any-return,operator"
"""Which line took a lock, or waits for one: the caller of the lock functions.

A wait stands in the slow path of an rwsem or a folio, whoever it is that waits; the line worth
knowing is the one in dup_mmap() or filemap_fault() that called it.  A step function exists once
in a Program and its return site is a cell of the thread's frame, so that line is found by
reading one cell for each lock function on the way out.
"""

from __future__ import annotations

from typing import Any

from faultlock.lang import program as ir
from faultlock.lang.labels import RETURN_SITE
from faultlock.lang.layout import Layout
from faultlock.lang.traverse import statements
from faultlock.sim import arrays as a
from faultlock.sim.arrays import Engine
from faultlock.sim.compiled import compiled

CELL_BITS = 40  # Engine.return_cell: byte offset in these bits, first row of call_label above
CELL_MASK = (1 << CELL_BITS) - 1
MOST_CALLS = 8  # lock functions that call each other
LOCK_FUNCTIONS = frozenset((
    "down_read", "down_read_killable", "down_write", "down_write_killable",
    "rwsem_down_read_slowpath", "rwsem_down_write_slowpath", "rwsem_optimistic_spin",
    "mmap_read_lock", "mmap_read_lock_killable", "mmap_write_lock", "mmap_write_lock_killable",
    "vma_start_read", "lock_vma_under_rcu", "__vma_start_write", "vma_start_write",
    "vma_start_write_killable", "vma_wait_for_readers", "vma_mark_detached",
    "filemap_invalidate_lock", "filemap_invalidate_lock_shared", "i_mmap_lock_read",
    "i_mmap_lock_write", "inode_lock", "folio_wait_bit_common", "__folio_lock",
    "lll_lock",
    "__folio_lock_killable", "folio_lock", "folio_wait_locked_killable",
    "folio_put_wait_locked_killable",
))  # fmt: skip


@compiled
def caller_of(engine: Engine, thread: int, label: int) -> int:
    """The step that led `thread` to step `label`: the first one outside of the lock functions."""
    for _ in range(MOST_CALLS):
        where = engine.return_cell[label]
        if where == 0:
            return label
        at = (where & CELL_MASK) + (thread - 1) * engine.scalars[a.FRAME_BYTES]
        site = int(engine.memory[at]) + 256 * int(engine.memory[at + 1])
        outer = engine.call_label[(where >> CELL_BITS) + site]
        if outer == 0:
            return label
        label = outer
    return label


def table_sizes(program: ir.Program) -> dict[str, int]:
    """The sizes that make_engine() needs for the tables of caller_of()."""
    sites = sum(1 + len(program.return_sites.get(name, ())) for name in LOCK_FUNCTIONS)
    return {"labels": len(program.steps) + 1, "sites": sites}


def fill_caller_tables(engine: Engine, program: ir.Program, layout: Layout) -> None:
    """For each step of a lock function where its return site is kept, and who calls from there."""
    calls = _calls(program)
    first = 0
    for name in sorted(LOCK_FUNCTIONS & calls.keys()):
        cell = layout.thread_local_place(1, name, RETURN_SITE).offset
        if layout.thread_count > 1:
            second = layout.thread_local_place(2, name, RETURN_SITE).offset
            engine.scalars[a.FRAME_BYTES] = second - cell
        for label in program.functions[name].labels:
            engine.return_cell[label] = first << CELL_BITS | cell
        for site, label in calls[name].items():
            engine.call_label[first + site] = label
        first += 1 + len(program.return_sites[name])


def _calls(program: ir.Program) -> dict[str, dict[int, int]]:
    """Lock function -> return site -> label of the step that calls from there."""
    found: dict[str, dict[int, int]] = {}
    for step in program.steps:
        for item in statements(step.body):
            match item:
                case ir.SetLocal(ir.Local(name, local), ir.Const(site)) if (
                    local == RETURN_SITE and name in LOCK_FUNCTIONS
                ):
                    found.setdefault(name, {})[site] = step.label
    return found


def describe(program: ir.Program, label: int) -> dict[str, Any]:
    """A step as `in` (function), `at` (file:line) and `text`; empty strings: not known."""
    step = program.steps[label - 1] if 0 < label <= len(program.steps) else None
    return {
        "in": step.function if step else "",
        "at": f"{step.file}:{step.line}" if step else "",
        "text": step.text if step else "",
    }


def step_places(program: ir.Program) -> list[str]:
    """By label, `kernel/fork.py:211 dup_mmap`; empty for 0: not known."""
    return ["", *(f"{step.file}:{step.line} {step.function}" for step in program.steps)]

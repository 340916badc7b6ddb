# SPDX-License-Identifier: GPL-2.0-only
"""Runs on the reference interpreter: one that ends well, and what is wrong after a schedule."""

from __future__ import annotations

from typing import Any

from faultlock.check.explain import false_part, waits_of
from faultlock.check.path import Run, moves_to, replay
from faultlock.check.verdict import ScenarioResult, flat
from faultlock.lang.evaluate import BLOCKED, CHOICE, FINISHED
from faultlock.lang.native import NativeProgram


def witness(result: ScenarioResult) -> Run | None:
    """A shortest run after which every thread has ended (daemons may wait); None: none found."""
    run = result.exploration
    for depth in range(run.depth + 1):
        rows = run.order.level(depth)
        ends = rows[run.store.terminal[rows] == 1]
        if len(ends):
            return replay(run.native, flat(moves_to(run, int(ends[0]))))
    return None


def broken_at_end(native: NativeProgram, replayed: Run) -> list[str]:
    """What is wrong after a replayed run, as sentences: failed step, false properties."""
    program = native.program
    if replayed.failed or replayed.error:
        entry: Any
        entry = program.assertions[replayed.failed - 1] if replayed.failed else (
            program.errors[replayed.error - 1])
        return [f"{entry.file}:{entry.line}: {entry.text}"]
    assert replayed.machine is not None
    said = []
    for item in program.properties:
        if item.kind == "always":
            state = dict(replayed.machine.state)
            if replayed.machine.call(item.function) != 1:
                part = false_part(program, item, state)
                said.append(f"{item.name} is false" + (f": {part}" if part else ""))
    waits = waits_of(replayed.machine)
    enabled = any(
        replayed_enabled(replayed, thread) for thread in range(1, len(program.threads) + 1)
    )
    unfinished = any(
        replayed.machine.get(("pc", thread)) and not entry.daemon
        for thread, entry in enumerate(program.threads, start=1)
    )
    if not enabled and unfinished:
        said.append("deadlock: " + "; ".join(waits))
    return said


def replayed_enabled(replayed: Run, thread: int) -> bool:
    """Whether a thread can step in the state where a replayed run ended."""
    machine = replayed.machine
    assert machine is not None
    saved = dict(machine.state)
    outcome = machine.step(thread)
    codes = [outcome.code]
    if outcome.code == CHOICE:
        codes = []
        for choice in range(outcome.a, outcome.b):
            machine.state = dict(saved)
            codes.append(machine.step(thread, choice).code)
    machine.state = saved
    return any(code not in (BLOCKED, CHOICE, FINISHED) for code in codes)

# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts of the properties that a finite run violates, from the findings of the search."""

from __future__ import annotations

from typing import Any

import numpy as np

from faultlock.check import graph
from faultlock.check.explain import false_part, waits_of
from faultlock.check.path import ReplayError, Run, confirm, failing_moves, moves_to, replay
from faultlock.check.verdict import (
    DEADLOCK,
    EVENT_NAMES,
    HOLDS,
    MEMORY,
    PINNED,
    UNKNOWN,
    VIOLATED,
    Counterexample,
    PropertyResult,
    ScenarioResult,
    event_name,
    flat,
    one_line,
    property_order,
)
from faultlock.lang import program as ir


class Judge:
    """Turns the findings of the search into verdicts of safety properties."""

    def __init__(self, result: ScenarioResult) -> None:
        self.result = result
        self.run = result.exploration
        self.program = self.run.program
        self.failures = self._failures()
        ids = sorted({name.split()[0] for name in self.failures})
        result.assertions_that_failed = frozenset(
            name.split()[0] for name, (_, is_assertion) in self.failures.items() if is_assertion
        )
        self.cut = f"runs end at the violation of {', '.join(ids)}" if ids else ""

    def _failures(self) -> dict[str, tuple[tuple[int, int, int], bool]]:
        """Property name -> (shallowest failing step, is it an assertion)."""
        run = self.run
        found: dict[str, tuple[tuple[int, int, int], bool]] = {}
        numbers = [
            (run.search.first_assertion + number, event_name(item.property), True)
            for number, item in enumerate(self.program.assertions, start=1)
        ]
        numbers += [
            (run.search.first_error + number,
             EVENT_NAMES["S7"] if PINNED in item.text else MEMORY, False)
            for number, item in enumerate(self.program.errors, start=1)
        ]
        for number, name, is_assertion in numbers:
            hit = run.first(number)
            if hit is None:
                continue
            if name not in found or run.depth_of(hit[0]) < run.depth_of(found[name][0][0]):
                found[name] = (hit, is_assertion)
        return found

    def safety(self) -> None:
        """Judge `always`, `sometimes`, assertions, model errors and deadlock."""
        properties = self.result.properties
        for number, item in enumerate(self.run.monitors):
            hit = self.run.first(number)
            judged = self._always if item.kind == "always" else self._sometimes
            properties.append(judged(item, hit))
        present = {item.name for item in properties}
        names = dict.fromkeys(event_name(item.property) for item in self.program.assertions)
        for name in sorted(set(names) - present, key=property_order):
            properties.append(self._event(name, "Checked where the event happens."))
        sentence = "No reference is None where it is followed; no value leaves its range."
        properties.append(self._event(MEMORY, sentence))
        properties.append(self._deadlock())
        properties.sort(key=lambda item: property_order(item.name))

    def _open(self) -> tuple[str, str]:
        reason = self.run.reason or self.cut
        return (UNKNOWN, reason) if reason else (HOLDS, "")

    def _always(self, item: ir.Property, hit: tuple[int, int, int] | None) -> PropertyResult:
        sentence = one_line(item.doc)
        if hit is None and item.name in self.failures:
            return self._event(item.name, sentence)
        if hit is None:
            return PropertyResult(item.name, item.kind, self._open()[0], sentence, self._open()[1])
        replayed = self._replay_to(hit[0])
        assert replayed.machine is not None
        part = false_part(self.program, item, replayed.machine.state)
        wrong = f"{item.name} is false: {sentence}" + (f" Here: {part}" if part else "")
        no_return = 0  # needs whole states
        if self.run.store.whole:
            no_return = self._no_return(hit[0], graph.false_states(self.run, item.function))
        example = Counterexample(replayed, wrong, no_return)
        return PropertyResult(item.name, item.kind, VIOLATED, sentence, "", example)

    def _sometimes(self, item: ir.Property, hit: tuple[int, int, int] | None) -> PropertyResult:
        sentence = one_line(item.doc)
        if hit is not None:
            return PropertyResult(item.name, item.kind, HOLDS, sentence)
        verdict, reason = self._open()
        if verdict == HOLDS:
            verdict, reason = VIOLATED, "no run reaches it"
        return PropertyResult(item.name, item.kind, verdict, sentence, reason)

    def _event(self, name: str, sentence: str) -> PropertyResult:
        if name not in self.failures:
            verdict, reason = self._open()
            return PropertyResult(name, "event", verdict, sentence, reason)
        (row, thread, choice), is_assertion = self.failures[name]
        replayed = replay(self.run.native, flat(failing_moves(self.run, thread, choice, row)))
        if not (replayed.failed if is_assertion else replayed.error):
            raise ReplayError(f"{name}: the interpreter does not fail where the native code does")
        entry: Any
        entry = self.program.assertions[replayed.failed - 1] if is_assertion else (
            self.program.errors[replayed.error - 1])
        what = entry.text if is_assertion else f"{entry.kind}: {entry.text}"
        what = what.removeprefix(f"{name}: ")
        wrong = f"{name} is violated at {entry.file}:{entry.line}: {what}"
        bad = np.zeros(len(self.run.store.parent), np.uint8)
        example = Counterexample(replayed, wrong, self._no_return(row, bad))
        return PropertyResult(name, "event", VIOLATED, sentence, "", example)

    def _deadlock(self) -> PropertyResult:
        sentence = "While a thread has not ended, some thread can step (daemons may wait)."
        hit = self.run.first(self.run.search.deadlock)
        if hit is None:
            verdict, reason = self._open()
            return PropertyResult(DEADLOCK, "deadlock", verdict, sentence, reason)
        replayed = self._replay_to(hit[0])
        assert replayed.machine is not None
        wrong = "deadlock: " + "; ".join(waits_of(replayed.machine))
        bad = np.zeros(len(self.run.store.parent), np.uint8)
        for low, high in self.run.rows():
            bad[low:high] = self.run.store.terminal[low:high] == 2
        example = Counterexample(replayed, wrong, self._no_return(hit[0], bad))
        return PropertyResult(DEADLOCK, "deadlock", VIOLATED, sentence, "", example)

    def _replay_to(self, row: int) -> Run:
        replayed = replay(self.run.native, flat(moves_to(self.run, row)))
        confirm(self.run, replayed, row)
        return replayed

    def _no_return(self, row: int, bad: Any) -> int:
        """Number (from 1) of the first shown step after which every run violates; 0 unknown."""
        if not self.result.acyclic:
            return 0
        doomed = graph.doomed_states(self.run, bad)
        rows = self.run.path_rows(row)
        position = next((n for n, each in enumerate(rows) if doomed[each]), len(rows))
        if position == len(rows):  # the failing step itself
            return -1
        return sum(len(part) for part in moves_to(self.run, row)[:position]) + 1

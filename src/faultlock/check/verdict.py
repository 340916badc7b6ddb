# SPDX-License-Identifier: GPL-2.0-only
"""From a finished search to a verdict per property, each violation with its shortest run.

holds     in every interleaving within the scenario's bounds
violated  with a counterexample that has been replayed on the reference interpreter
unknown   a limit was reached, or every run ends at another violation first; why is said
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from faultlock.check import graph, liveness
from faultlock.check.explain import false_part, waits_of
from faultlock.check.explore import (
    Exploration,
    Limits,
    Options,
    Progress,
    explore,
)
from faultlock.check.path import (
    Run,
    confirm,
    failing_moves,
    moves_along,
    moves_to,
    replay,
    thread_name,
)
from faultlock.check.schedule import Move
from faultlock.lang import program as ir
from faultlock.lang.native import NativeProgram

if TYPE_CHECKING:
    from faultlock.check.bounds import IoBound

HOLDS, VIOLATED, UNKNOWN = "holds", "violated", "unknown"
DEADLOCK = "L1 no deadlock"
LIVELOCK = "L8 no livelock"
MEMORY = "S0 no null dereference, every value in its range"
# properties that are assert statements in the kernel text: id -> name
EVENT_NAMES = {
    "S1": "S1 no stale PTE",
    "S2": "S2 only uptodate pages are mapped",
    "S3": "S3 reference balance",
    "S4": "S4 lock balance",
    "S5": "S5 result contract",
    "S6": "S6 NOWAIT",
    "S7": "S7 VMA use after release",
    "S8": "S8 VMA stability",
    "S9": "S9 write lock exclusion",
    "S10": "S10 end of file",
    "S11": "S11 no fill under removal",
    "S12": "S12 SIGBUS accuracy",
    "S13": "S13 freeze",
    "S14": "S14 single fill",
    "S15": "S15 no blocking on mmap_lock with a VMA read lock held",
    "S16": "S16 flag legality",
    "L8": "L8 loops make progress",
}
PINNED = "vmf_vma"  # None once the fault lock is released: using it then is S7


@dataclass
class Counterexample:
    """A replayed run: its steps, what is wrong at its end, the step of no return (0: unknown)."""

    run: Run
    wrong: str
    no_return: int = 0
    cycle_from: int = 0  # index into run.steps where the cycle of an infinite run begins


@dataclass
class PropertyResult:
    """The verdict of one property."""

    name: str
    kind: str
    verdict: str
    sentence: str = ""
    reason: str = ""
    counterexample: Counterexample | None = None
    ignored: frozenset[str] = frozenset()  # ids whose assertions were left out of this search
    run: Exploration | None = None  # the search that decided it


@dataclass
class ScenarioResult:
    """All verdicts of one scenario under one policy."""

    policy: str
    scenario: str
    native: NativeProgram
    exploration: Exploration
    acyclic: bool | None = None  # None: not worked out
    properties: list[PropertyResult] = field(default_factory=list)
    seconds: float = 0.0
    assertions_that_failed: frozenset[str] = frozenset()
    io_bounds: list[IoBound] | None = None  # None: not worked out, or a limit was reached

    @property
    def violated(self) -> list[PropertyResult]:
        """The properties that are violated."""
        return [item for item in self.properties if item.verdict == VIOLATED]


def check_program(
    policy: str,
    scenario: str,
    native: NativeProgram,
    limits: Limits | None = None,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScenarioResult:
    """Search a compiled scenario and judge every property."""
    limits, options = limits or Limits(), options or Options()
    run = explore(native, limits, options, progress)
    result = ScenarioResult(policy, scenario, native, run, seconds=run.seconds)
    if run.complete and options.edges:
        result.acyclic = graph.is_acyclic(run)
    judge = _Judge(result)
    judge.safety()
    _liveness(result, judge, limits, options, progress)
    for item in result.properties:
        item.run = run
    return result


def _liveness(result: ScenarioResult, judge: _Judge, limits: Limits, options: Options,
              progress: Callable[[Progress], None] | None) -> None:
    """Livelock and `eventually`; if the graph has cycles, on one in which only local steps are
    fused."""
    run = result.exploration
    eventually = [item for item in run.program.properties if item.kind == "eventually"]
    if result.acyclic is False and (options.partial_order or run.is_symmetric):
        plain = replace(options, partial_order=False, symmetry=False)
        run = explore(result.native, limits, plain, progress)
        result.seconds += run.seconds
    reason = "" if options.edges else "the graph was not kept"
    reason = reason or run.reason or judge.cut
    names = [(LIVELOCK, "liveness", "Under weak fairness every thread ends.")]
    names += [(item.name, "eventually", item.doc) for item in eventually]
    for position, (name, kind, sentence) in enumerate(names):
        lasso = None
        if run.complete and options.edges:
            if position == 0:
                lasso = None if result.acyclic else liveness.find_livelock(run)
            else:
                lasso = liveness.find_never(run, eventually[position - 1])
        verdict = VIOLATED if lasso else UNKNOWN if reason else HOLDS
        found = PropertyResult(name, kind, verdict, one_line(sentence), reason)
        if lasso is not None:
            found.reason = ""
            found.counterexample = _lasso_example(run, lasso, name)
        result.properties.append(found)


def one_line(text: str) -> str:
    """A docstring as one line."""
    return " ".join(text.split())


class _Judge:
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
        bad = graph.false_states(self.run, item.function)
        example = Counterexample(replayed, wrong, self._no_return(hit[0], bad))
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
        entry: Any
        entry = self.program.assertions[replayed.failed - 1] if is_assertion else (
            self.program.errors[replayed.error - 1])
        what = entry.text if is_assertion else f"{entry.kind}: {entry.text}"
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


def flat(parts: list[list[Move]]) -> list[Move]:
    """All moves, one after another."""
    return [move for part in parts for move in part]


def event_name(identifier: str) -> str:
    """The name of an event property, from the first word of an assertion."""
    return EVENT_NAMES.get(identifier, identifier)


def property_order(name: str) -> tuple[str, int, str]:
    """S1, S2, ... S16, L1, ... in the order of their numbers; V last."""
    first = name.split()[0]
    digits = first[1:]
    group = {"S": "1", "L": "2"}.get(first[0], "3")
    return group, int(digits) if digits.isdigit() else 0, name


def _lasso_example(run: Exploration, lasso: liveness.Lasso, name: str) -> Counterexample:
    moves = flat(moves_to(run, lasso.row))
    first = len(moves)
    if lasso.cycle:
        moves += moves_along(run, [lasso.row, *(row for _, row in lasso.cycle)])
    replayed = replay(run.native, moves)
    program = run.program
    if not lasso.cycle:
        assert replayed.machine is not None
        waits = "; ".join(waits_of(replayed.machine))
        wrong = f"{name}: the run ends here and it never held" + (f": {waits}" if waits else "")
        return Counterexample(replayed, wrong)
    loops = ", ".join(thread_name(program, thread) for thread in lasso.looping) or "a daemon"
    wrong = f"{name}: from here the last {len(moves) - first} steps can repeat for ever ({loops})"
    if lasso.starving:
        names = ", ".join(thread_name(program, thread) for thread in lasso.starving)
        wrong += f"; {names} never ends"
    return Counterexample(replayed, wrong, 0, first)


def finding_names(program: ir.Program, monitors: list[ir.Property]) -> list[str]:
    """Property name of each column of Search.found; "" where reaching it is no violation."""
    names = [item.name if item.kind == "always" else "" for item in monitors]
    names += [event_name(item.property) for item in program.assertions]
    names += [EVENT_NAMES["S7"] if PINNED in item.text else MEMORY for item in program.errors]
    return [*names, DEADLOCK]

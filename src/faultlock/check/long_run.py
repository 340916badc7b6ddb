# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts of the properties that only an infinite run, or a run to its end, violates."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from faultlock.check import liveness
from faultlock.check.explain import waits_of
from faultlock.check.exploration import Exploration
from faultlock.check.path import moves_along, moves_to, replay, thread_name
from faultlock.check.verdict import (
    HOLDS,
    LIVELOCK,
    UNKNOWN,
    VIOLATED,
    Counterexample,
    PropertyResult,
    flat,
    one_line,
)
from faultlock.lang import program as ir

Judgement = Callable[[], PropertyResult]


def judgements(run: Exploration, acyclic: bool | None, open_reason: str) -> list[Judgement]:
    """Livelock and every `eventually`, each as a function that works it out.

    run: of a graph without cycles, or one in which only local steps are fused; open_reason: why
    nothing is known about what was not found."""
    judge = _Judge(run, bool(acyclic), open_reason)
    eventually = [item for item in run.program.properties if item.kind == "eventually"]
    return [judge.livelock, *(partial(judge.eventually, item) for item in eventually)]


class _Judge:
    """See judgements()."""

    def __init__(self, run: Exploration, acyclic: bool, open_reason: str) -> None:
        self.run = run
        self.acyclic = acyclic
        self.reason = open_reason
        self.decidable = run.complete and run.options.edges

    def livelock(self) -> PropertyResult:
        lasso = None
        if self.decidable and not self.acyclic:
            lasso = liveness.find_livelock(self.run)
        return self._said(LIVELOCK, "liveness", "Under weak fairness every thread ends.", lasso)

    def eventually(self, item: ir.Property) -> PropertyResult:
        lasso = liveness.find_never(self.run, item) if self.decidable else None
        return self._said(item.name, "eventually", item.doc, lasso)

    def _said(self, name: str, kind: str, sentence: str,
              lasso: liveness.Lasso | None) -> PropertyResult:
        if lasso is not None:
            example = _lasso_example(self.run, lasso, name)
            return PropertyResult(name, kind, VIOLATED, one_line(sentence), "", example)
        verdict = UNKNOWN if self.reason else HOLDS
        return PropertyResult(name, kind, verdict, one_line(sentence), self.reason)


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

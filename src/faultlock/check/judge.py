# SPDX-License-Identifier: GPL-2.0-only
"""From a compiled scenario to its verdicts: the searches, and what is worked out after them.

The searches use all workers.  What follows them (safety with its replays, livelock, each
`eventually`, the bounds on reads) is independent of each other and runs side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from faultlock.check.bounds import bounds_of
from faultlock.check.exploration import Exploration, Limits, Options, Progress
from faultlock.check.explore import explore
from faultlock.check.fingerprints import missed_below
from faultlock.check.long_run import judgements
from faultlock.check.safety import Judge
from faultlock.check.side_by_side import side_by_side
from faultlock.check.verdict import PropertyResult, ScenarioResult
from faultlock.lang.native import NativeProgram


def check_program(
    policy: str,
    scenario: str,
    native: NativeProgram,
    limits: Limits | None = None,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    bounds: bool = False,
) -> ScenarioResult:
    """Search a compiled scenario and judge every property.

    bounds: work out how many reads an operation waits for too, if no assertion has failed (it
    needs whole states: not with fingerprints)."""
    started = time.monotonic()
    limits, options = limits or Limits(), options or Options()
    run = explore(native, limits, options, progress)
    result = ScenarioResult(policy, scenario, native, run)
    if run.complete and options.edges:
        result.acyclic = not len(run.cycles.left)
    judge = Judge(result)
    plain = _plain(result, limits, progress)
    run.interrupted |= plain.interrupted
    reason = "" if options.edges else "the graph was not kept"
    judged = judgements(plain, result.acyclic, reason or plain.reason or judge.cut)
    if options.fingerprints:
        searches = {id(each): each.states for each in (run, plain)}
        result.missed_below = sum(missed_below(states) for states in searches.values())
    wanted = bounds and not options.fingerprints and not result.assertions_that_failed

    def bound() -> None:
        if wanted:
            result.io_bounds = bounds_of(plain, limits)

    later: list[PropertyResult] = []

    def long_run() -> None:
        later.extend(side_by_side(options.workers, judged))

    side_by_side(options.workers, [bound, judge.safety, long_run])
    result.properties += later
    for item in result.properties:
        item.run = run
    result.seconds = time.monotonic() - started
    return result


def _plain(result: ScenarioResult, limits: Limits,
           progress: Callable[[Progress], None] | None) -> Exploration:
    """The graph for questions about infinite runs: if the one that was searched has cycles, one
    in which only local steps are fused."""
    run = result.exploration
    if result.acyclic is not False or not run.is_reduced:
        return run
    options = replace(run.options, partial_order=False, symmetry=False)
    return explore(result.native, limits, options, progress)

# SPDX-License-Identifier: GPL-2.0-only
"""One scenario under one policy, from its text to verdicts.

A failed assertion ends a run, so properties that were not decided behind it are decided by a
second search of the same scenario without the assertions that are known to fail.
"""

from __future__ import annotations

from collections.abc import Callable

from faultlock.check.exploration import Limits, Options, Progress
from faultlock.check.judge import check_program
from faultlock.check.scenarios import Scenario, compile_scenario
from faultlock.check.verdict import UNKNOWN, ScenarioResult
from faultlock.lang.native import NativeProgram, compile_native


def check_scenario(
    policy: str,
    scenario: Scenario,
    limits: Limits | None = None,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    ignored: frozenset[str] = frozenset(),
    native: NativeProgram | None = None,
) -> ScenarioResult:
    """Compile, search and judge.  Raises FaultlockError, LanguageErrors.

    ignored: ids of event properties whose assertions are left out from the beginning; native:
    the scenario when it has been compiled already (with these left out)."""
    if native is None:
        native = compile_native(compile_scenario(policy, scenario, ignored=ignored))
    bounds = options is None or options.bounds
    result = check_program(policy, scenario.name, native, limits, options, progress, bounds)
    for item in result.properties:
        item.ignored = ignored
    again = result.assertions_that_failed
    if again and result.exploration.complete:
        other = check_scenario(policy, scenario, limits, options, progress, ignored | again)
        _take_over(result, other)
    return result


def _take_over(result: ScenarioResult, other: ScenarioResult) -> None:
    """Replace what a failed assertion left open by what the second search decided."""
    decided = {item.name: item for item in other.properties}
    for place, item in enumerate(result.properties):
        if item.verdict == UNKNOWN and item.name in decided:
            result.properties[place] = decided[item.name]
    result.exploration.interrupted |= other.exploration.interrupted
    result.seconds += other.seconds
    result.io_bounds = other.io_bounds
    result.missed_below += other.missed_below

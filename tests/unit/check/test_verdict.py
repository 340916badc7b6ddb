# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts: deadlock, livelock, `eventually`, assertions, the point of no return."""

from __future__ import annotations

from pathlib import Path

from faultlock.check.explore import Limits, Options
from faultlock.check.judge import check_program
from faultlock.check.path import replay
from faultlock.check.replayed import broken_at_end, witness
from faultlock.check.schedule import parse_schedule
from faultlock.check.verdict import (
    DEADLOCK,
    LIVELOCK,
    PropertyResult,
    ScenarioResult,
)
from tests.unit.check.models import ABBA, ASSERTING, LOST_UPDATE, SPIN, native_of


def verdict_of(result: ScenarioResult, name: str) -> PropertyResult:
    return next(item for item in result.properties if item.name == name)


def test_deadlock_names_who_waits(tmp_path: Path) -> None:
    result = check_program("toy", "toy", native_of(tmp_path, ABBA))
    found = verdict_of(result, DEADLOCK)
    assert found.verdict == "violated"
    assert found.counterexample is not None
    assert "A waits in first" in found.counterexample.wrong
    assert "B waits in second" in found.counterexample.wrong


def test_point_of_no_return_is_the_first_doomed_step(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    result = check_program("toy", "toy", native)
    found = verdict_of(result, "S1 small")
    assert found.counterexample is not None
    steps = found.counterexample.run.steps
    at = found.counterexample.no_return
    assert 1 <= at <= len(steps)
    # The last thread has to read 2 as soon as 2 is stored and nobody else has read before.
    assert steps[at - 1].step.text == "shared.value = x"
    assert sum(step.step.text == "shared.value = x" for step in steps[:at]) == 2


def test_counterexample_replays_from_its_schedule(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    result = check_program("toy", "toy", native)
    example = verdict_of(result, "S1 small").counterexample
    assert example is not None
    again = replay(native, parse_schedule(example.run.schedule(), 3), strict=False)
    assert any("S1 small is false" in text for text in broken_at_end(native, again))
    shorter = parse_schedule(example.run.schedule(), 3)[:-2]  # the store, a local step
    assert not any("S1" in text for text in broken_at_end(native, replay(native, shorter)))


def test_false_part_names_the_test_and_the_values(tmp_path: Path) -> None:
    result = check_program("toy", "toy", native_of(tmp_path, LOST_UPDATE))
    example = verdict_of(result, "S1 small").counterexample
    assert example is not None
    assert "shared.value < 3" in example.wrong


def test_sometimes_that_is_reached_holds(tmp_path: Path) -> None:
    result = check_program("toy", "toy", native_of(tmp_path, LOST_UPDATE))
    assert verdict_of(result, "V lost").verdict == "holds"
    alone = check_program("toy", "toy", native_of(tmp_path, LOST_UPDATE, N_THREADS=1))
    assert verdict_of(alone, "V lost").verdict == "violated"


def test_spinning_for_ever_is_a_livelock_only_when_it_is_fair(tmp_path: Path) -> None:
    stuck = check_program("toy", "toy", native_of(tmp_path, SPIN, PATIENCE=0))
    assert stuck.acyclic is False
    assert verdict_of(stuck, LIVELOCK).verdict == "violated"
    assert verdict_of(stuck, "L3 set").verdict == "violated"
    # With a helper the only endless runs are unfair to it.
    helped = check_program("toy", "toy", native_of(tmp_path, SPIN, PATIENCE=1))
    assert verdict_of(helped, LIVELOCK).verdict == "holds"
    assert verdict_of(helped, "L3 set").verdict == "holds"


def test_livelock_shows_its_cycle(tmp_path: Path) -> None:
    stuck = check_program("toy", "toy", native_of(tmp_path, SPIN, PATIENCE=0))
    example = verdict_of(stuck, LIVELOCK).counterexample
    assert example is not None
    assert 0 < example.cycle_from < len(example.run.steps)
    assert {step.thread for step in example.run.steps[example.cycle_from:]} == {"spinner"}


def test_assertion_is_violated_and_leaves_the_rest_open(tmp_path: Path) -> None:
    result = check_program("toy", "toy", native_of(tmp_path, ASSERTING))
    event = verdict_of(result, "S2 only uptodate pages are mapped")
    assert event.verdict == "violated"
    assert event.counterexample is not None
    assert event.counterexample.run.steps[-1].move.choice is None
    rest = verdict_of(result, "S3 sum")
    assert rest.verdict == "unknown"
    assert "S2" in rest.reason


def test_a_limit_is_unknown_never_holds(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=2)
    result = check_program("toy", "toy", native, Limits(states=1000), Options(partial_order=False))
    assert {item.verdict for item in result.properties} <= {"unknown", "violated", "holds"}
    assert verdict_of(result, DEADLOCK).verdict == "unknown"
    assert "1000 states" in verdict_of(result, DEADLOCK).reason


def test_witness_ends_with_every_thread_done(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    run = witness(check_program("toy", "toy", native))
    assert run is not None and run.machine is not None
    assert all(run.machine.get(("pc", thread)) == 0 for thread in (1, 2, 3))

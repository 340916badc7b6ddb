# SPDX-License-Identifier: GPL-2.0-only
"""The search stores exactly the reachable states, with any number of workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faultlock.check.explore import Limits, Options, explore
from faultlock.errors import FaultlockError
from faultlock.lang.evaluate import CHOICE, FAILED, RAN, Machine
from faultlock.lang.layout import Layout
from faultlock.lang.program import Program
from tests.unit.check.models import ABBA, ASSERTING, LOST_UPDATE, SPIN, native_of

FULL = Options(fuse=False, partial_order=False, workers=1, symmetry=False)


def reference_states(program: Program) -> set[bytes]:
    """All reachable states by plain search with the reference interpreter."""
    layout = Layout(program, mode="check")
    machine = Machine(program)
    first = dict(machine.state)
    seen = {machine.to_bytes(layout): first}
    waiting = [first]
    for state in waiting:
        for thread in range(1, len(program.threads) + 1):
            machine.state = dict(state)
            outcome = machine.step(thread)
            choices = range(outcome.a, outcome.b) if outcome.code == CHOICE else [None]
            for choice in choices:
                machine.state = dict(state)
                outcome = machine.step(thread, choice)
                assert outcome.code in (0, RAN, 3, FAILED)
                if outcome.code == RAN and machine.to_bytes(layout) not in seen:
                    seen[machine.to_bytes(layout)] = machine.state
                    waiting.append(machine.state)
    return set(seen)


@pytest.mark.parametrize("text", [LOST_UPDATE, ABBA, SPIN, ASSERTING])
def test_stores_exactly_the_reachable_states(tmp_path: Path, text: str) -> None:
    native = native_of(tmp_path, text)
    run = explore(native, options=FULL)
    stored = {
        bytes(run.state(row)) for low, high in run.rows() for row in range(low, high)
    }
    assert run.complete
    assert stored == reference_states(native.program)
    assert len(stored) == run.states


def test_two_workers_store_the_same_states(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=2)
    runs = [explore(native, options=Options(False, False, True, workers, symmetry=False))
            for workers in (1, 2, 3)]
    assert {run.states for run in runs} == {runs[0].states}
    assert {run.transitions for run in runs} == {runs[0].transitions}
    assert {run.depth for run in runs} == {runs[0].depth}
    assert runs[0].states > 100_000


def test_reductions_keep_verdicts(tmp_path: Path) -> None:
    for text in (LOST_UPDATE, ABBA, ASSERTING):
        native = native_of(tmp_path, text)
        verdicts, sizes = [], []
        for options in (FULL, Options(True, False), Options(False, True), Options(True, True)):
            run = explore(native, options=options)
            columns = run.search.found.shape[1]
            verdicts.append([run.first(number) is None for number in range(columns)])
            sizes.append(run.states)
        assert all(verdict == verdicts[0] for verdict in verdicts)
        assert sizes[3] <= sizes[1] <= sizes[0]


def test_first_finding_is_the_shallowest(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    run = explore(native, options=FULL)
    small = next(n for n, item in enumerate(run.monitors) if item.name == "S1 small")
    found = run.first(small)
    assert found is not None
    depth = run.depth_of(found[0])
    values = []
    for lows, highs in run.levels[:depth]:
        for low, high in zip(lows, highs, strict=True):
            values += [native.call("small", run.state(row), 1) for row in range(low, high)]
    assert all(values)
    assert native.call("small", run.state(found[0]), 1) == 0


def test_limit_of_states_is_no_answer(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=2)
    run = explore(native, Limits(states=5000), FULL)
    assert not run.complete
    assert run.reason == "limit of 5000 states"
    assert run.states >= 5000


def test_limit_of_zero_is_refused(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE)
    with pytest.raises(FaultlockError, match="more than 0"):
        explore(native, Limits(states=0))


def test_table_grows_without_losing_states(tmp_path: Path) -> None:
    native = native_of(tmp_path, LOST_UPDATE, N_THREADS=4, ROUNDS=1)
    run = explore(native, options=FULL)
    assert len(run.store.table) > 4096
    used = run.store.table[run.store.table != 0]
    assert len(used) == run.states
    assert len(np.unique(used & np.uint64(0xFFFFFFFF))) == run.states

# SPDX-License-Identifier: GPL-2.0-only
"""Components of the stored graph, against the definition: who reaches whom and back."""

from pathlib import Path

import numpy as np
import pytest

from faultlock.check.cycles import find_components
from faultlock.check.exploration import Exploration
from faultlock.check.explore import Options, explore
from faultlock.check.scenarios import compile_scenario, find_scenario
from faultlock.check.store import NO_STATE
from faultlock.lang.native import compile_native
from tests.unit.check.models import ABBA, SPIN, native_of


def reached(run: Exploration) -> dict[int, set[int]]:
    """Per row, the rows that a run of one step or more leads to."""
    ahead: dict[int, set[int]] = {}
    for low, high in run.rows():
        for row in range(low, high):
            start = int(run.store.edge_start[row])
            targets = run.store.edge_target[start:start + int(run.store.edge_count[row])]
            ahead[row] = {int(target) for target in targets if target != NO_STATE}
    found = {}
    for row, targets in ahead.items():
        seen, waiting = set(targets), list(targets)
        while waiting:
            fresh = ahead[waiting.pop()] - seen
            seen |= fresh
            waiting += fresh
        found[row] = seen
    return found


def searched(tmp_path: Path, text: str, workers: int) -> Exploration:
    options = Options(workers=workers, partial_order=False, symmetry=False)
    if text in (SPIN, ABBA):
        return explore(native_of(tmp_path, text), options=options)
    native = compile_native(compile_scenario("retry-vma", find_scenario(text)))
    return explore(native, options=options)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("text", [SPIN, ABBA, "faults-forever+mmap"])
def test_components(tmp_path: Path, text: str, workers: int) -> None:
    run = searched(tmp_path, text, workers)
    ahead = reached(run)
    on_cycles = {row for row, rows in ahead.items() if row in rows}
    behind = on_cycles.union(*(ahead[row] for row in on_cycles))
    assert set(run.cycles.left.tolist()) == behind
    assert sorted([*run.cycles.before.tolist(), *run.cycles.left.tolist()]) == sorted(ahead)
    place = {row: number for number, row in enumerate(run.cycles.before.tolist())}
    assert all(place[row] < place.get(target, len(place))
               for row in place for target in ahead[row])

    component = np.zeros(len(run.store.parent), np.uint32)
    count, rows = find_components(run, np.ones(len(component), np.uint8), component)
    assert set(rows.tolist()) == behind
    for row in behind:
        same = {other for other in ahead[row] if row in ahead[other]} | {row}
        assert same == {other for other in behind if component[other] == component[row]}
        assert all(component[target] <= component[row] for target in ahead[row])
    assert set(component[rows].tolist()) == set(range(1, count + 1))


def test_components_of_a_part(tmp_path: Path) -> None:
    """A cycle that leads through a state that is not wanted is none."""
    run = searched(tmp_path, "faults-forever+mmap", 2)
    alive = np.ones(len(run.store.parent), np.uint8)
    component = np.zeros(len(alive), np.uint32)
    find_components(run, alive, component)
    numbers, sizes = np.unique(component[run.cycles.left], return_counts=True)
    whole = run.cycles.left[component[run.cycles.left] == numbers[np.argmax(sizes)]]
    assert len(whole) > 2
    alive[whole[0]] = 0
    rest = np.zeros(len(alive), np.uint32)
    _, rows = find_components(run, alive, rest)
    assert whole[0] not in rows
    assert rest[whole[0]] == 0
    assert max(np.unique(rest[whole[1:]], return_counts=True)[1]) < len(whole)

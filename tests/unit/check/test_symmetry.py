# SPDX-License-Identifier: GPL-2.0-only
"""Interchangeable threads: fewer states, the same verdicts, runs that can be replayed."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from faultlock.check.exploration import renumbered
from faultlock.check.explore import Options, explore
from faultlock.check.judge import check_program
from faultlock.check.path import replay
from faultlock.check.replayed import broken_at_end
from faultlock.check.run import check_scenario
from faultlock.check.scenarios import (
    compile_scenario,
    find_scenario,
    wrong_policies,
)
from faultlock.check.schedule import parse_schedule
from faultlock.check.symmetry import thread_groups
from faultlock.check.verdict import ScenarioResult
from tests.unit.check.models import ASSERTING, HEAD, LOST_UPDATE, THREAD, native_of, program_of

# three threads that queue for a lock, each knows who comes after it
QUEUE = """
N_THREADS: Param = 3
""" + THREAD.replace("    mine:", "    next: Thread\n    mine:") + """
class queue(Struct, count=1):
    first: Thread
    last: Thread

@atomic
def lock_or_queue() -> bool:
    if trylock():
        return True
    current.woken = False
    if queue.first is None:
        queue.first = current
    else:
        queue.last.next = current
    queue.last = current
    return False

@atomic
def unlock():
    shared.lock = False
    first = queue.first
    if first is not None:
        queue.first = first.next
        first.next = None
        if LOST == 0 or shared.value > 1:
            first.woken = True

LOST: Param = 0

@thread("T", count=3)
def go():
    while not lock_or_queue():
        wait(current.woken, on=shared)
    shared.value += 1
    unlock()

@sometimes("V all")
def all_were_there() -> bool:
    '''Everybody had the lock.'''
    return shared.value == 3
"""

BY_NUMBER = LOST_UPDATE.replace("""    return shared.value < N_THREADS

""", """    for thread in each(Thread):
        if thread.mine > 0:
            return thread.mine < 7
    return True

""")


def verdicts(result: ScenarioResult) -> dict[str, str]:
    """Property -> verdict."""
    return {item.name: item.verdict for item in result.properties}


@pytest.mark.parametrize(("text", "parameters"), [
    (LOST_UPDATE, {}), (LOST_UPDATE, {"ROUNDS": 2}), (ASSERTING, {}), (QUEUE, {}),
    (QUEUE, {"LOST": 1}),
])
def test_verdicts_are_the_same(tmp_path: Path, text: str, parameters: dict[str, int]) -> None:
    native = native_of(tmp_path, text, **parameters)
    plain = check_program("p", "s", native, options=Options(symmetry=False))
    with_symmetry = check_program("p", "s", native)
    assert with_symmetry.exploration.is_symmetric
    assert verdicts(with_symmetry) == verdicts(plain)
    assert with_symmetry.exploration.states < plain.exploration.states
    assert with_symmetry.exploration.depth == plain.exploration.depth
    for item in with_symmetry.violated:
        if item.counterexample is not None and item.kind == "always":
            schedule = parse_schedule(item.counterexample.run.schedule(), 3)
            said = broken_at_end(native, replay(native, schedule))
            assert any(item.name in text for text in said)


def test_states_are_those_up_to_thread_numbers(tmp_path: Path) -> None:
    native = native_of(tmp_path, QUEUE)
    plain = explore(native, options=Options(False, False, symmetry=False))
    found = explore(native, options=Options(False, False))
    kept = {bytes(found.state(row)) for low, high in found.rows() for row in range(low, high)}
    everything = {bytes(plain.state(row)) for low, high in plain.rows() for row in range(low, high)}
    assert kept <= everything
    # A state stands for itself; which one is kept may depend on the way when threads queue.
    assert {bytes(renumbered(found.machine, np.frombuffer(each, np.uint8))[0])
            for each in kept} == kept
    assert len(everything) / len(list(permutations(range(3)))) <= len(kept) < len(everything)


def test_a_property_that_depends_on_numbers_switches_it_off(tmp_path: Path) -> None:
    group, = thread_groups(program_of(tmp_path, BY_NUMBER))
    assert group.members == (1, 2, 3)
    assert "depends on the number" in group.reason
    assert not explore(native_of(tmp_path, BY_NUMBER)).is_symmetric


def test_different_threads_are_no_group(tmp_path: Path) -> None:
    text = HEAD + QUEUE.replace('@thread("T", count=3)', '@thread("T")')
    assert thread_groups(program_of(tmp_path, text.replace(HEAD, ""))) == []


SYMMETRIC = ["fault+fault", "gup+gup", "populate+populate"]


@pytest.mark.parametrize("policy", ["drop-retry", "hold"])
def test_scenarios(policy: str) -> None:
    for name in SYMMETRIC:
        assert not any(group.reason
                       for group in thread_groups(compile_scenario(policy, find_scenario(name))))
        plain = check_scenario(policy, find_scenario(name), options=Options(symmetry=False))
        found = check_scenario(policy, find_scenario(name))
        assert verdicts(found) == verdicts(plain)
        assert found.exploration.states < 0.75 * plain.exploration.states


def test_fork_wakes_the_first_unborn_thread_so_numbers_matter() -> None:
    group, = thread_groups(compile_scenario("drop-retry", find_scenario("every-pair")))
    assert group.members == (1, 2)
    assert group.reason == "wake_up_new_task depends on the number of a thread"


@pytest.mark.parametrize("policy", ["folio-put-twice", "wake-up-lost-folio", "mapped-unlocked"])
def test_planted_bugs(policy: str) -> None:
    assert policy in wrong_policies()
    plain = check_scenario(policy, find_scenario("fault+fault"), options=Options(symmetry=False))
    found = check_scenario(policy, find_scenario("fault+fault"))
    assert verdicts(found) == verdicts(plain)

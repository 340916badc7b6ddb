# SPDX-License-Identifier: GPL-2.0-only
"""The state in which the scheduler finds the threads of a workload."""

import pytest

from faultlock.sim.start import queued_threads, threads_of_last_turn, turn_of


@pytest.mark.parametrize(("threads", "new"), [(1, 1), (8, 8), (13, 13), (16, 3), (32, 8), (64, 7)])
def test_the_threads_of_the_main_threads_last_turn_have_not_run_yet(threads: int, new: int) -> None:
    assert threads_of_last_turn(threads) == new


def test_few_threads_begin_in_the_order_in_which_they_were_made() -> None:
    queue, main = queued_threads(8, 3_000_000, seed=1)
    times = [thread.vruntime for thread in queue]
    assert times == sorted(times) and len(set(times)) == 8
    assert {thread.deadline for thread in queue} == {1_500_000}, "PLACE_DEADLINE_INITIAL: half"
    assert main > times[-1], "the main thread is ahead of all of them"


def test_those_that_have_yielded_come_later_each_in_its_turn() -> None:
    queue, _ = queued_threads(32, 3_000_000, seed=1)
    times = [thread.vruntime for thread in queue[:24]]
    assert times == [times[0]] * 13 + [times[13]] * 11, "two turns of the main thread"
    assert all(0 <= time < 3_000_000 for time in times), "within one slice"
    assert {thread.deadline for thread in queue[:24]} == {3_000_000}, "a whole slice"
    assert all(thread.deadline == 1_500_000 for thread in queue[24:])
    starts = {queued_threads(32, 3_000_000, seed)[0][0].vruntime for seed in range(8)}
    assert len(starts) > 1, "where a turn stands is chance"


def test_the_first_turn_makes_thirteen_threads_the_others_eleven() -> None:
    assert [turn_of(number) for number in (0, 12, 13, 23, 24, 34, 35)] == [0, 0, 1, 1, 2, 2, 3]

# SPDX-License-Identifier: GPL-2.0-only
"""The state in which the scheduler finds the threads of a workload."""

import pytest

from faultlock.sim.run import simulate
from faultlock.sim.start import queued_threads, start_delays, threads_of_last_turn, turn_of
from faultlock.workload.distribution import parse_distribution
from faultlock.workload.library import loads
from faultlock.workload.schema import Threads

SLEEPER = """
duration = "30ms"
[[threads]]
name = "sleeper"
start_after = "{delay}"
loop = [{{ op = "sleep", time = "1ms" }}]
"""


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


def sleeps(delay: str) -> int:
    result = simulate(loads(SLEEPER.format(delay=delay), "sleeper.toml", "sleeper"), "hold", 1)
    return int(result.document()["actors"]["sleep"]["n"])


def test_a_thread_begins_after_its_delay() -> None:
    assert sleeps("0") >= 26
    assert 10 <= sleeps("15ms") <= 15
    assert sleeps("40ms") == 0, "after the end"


def test_each_thread_has_a_delay_of_its_own_and_of_the_seed() -> None:
    groups = [Threads(start_after=parse_distribution("uniform(1ms, 2ms)"))] * 50
    delays = start_delays(groups, 1)
    assert len(set(delays)) > 40 and all(1000 <= delay <= 2000 for delay in delays)
    assert delays == start_delays(groups, 1) != start_delays(groups, 2)
    assert start_delays([Threads(start_after=parse_distribution("60min"))], 1) == [2_000_000_000]

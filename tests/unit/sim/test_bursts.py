# SPDX-License-Identifier: GPL-2.0-only
"""Time on the CPUs: the tree of ends against looking at every CPU."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.sim import arrays as a
from faultlock.sim.bursts import (
    next_done,
    pass_time,
    settle_all,
    spin_lock,
    touch,
    wait_for_answers,
)
from tests.unit.sim.small_engine import bare

# of one CPU: current thread, overhead, burst, threads that wait
CPU = st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(0, 40), st.integers(0, 1))


def made(cpus: list[tuple[int, int, int, int]], shared_clock: bool) -> tuple[a.Engine, Any]:
    engine, handle = bare(threads=4, cpus=len(cpus))
    engine.scalars[a.SHARED_CLOCK] = int(shared_clock)
    for cpu, (current, overhead, burst, waiting) in enumerate(cpus):
        engine.current[cpu], engine.queue_length[cpu] = current, waiting
        engine.overhead[cpu], engine.burst[cpu] = overhead, burst if current else 0
        touch(handle, cpu)
    return engine, handle


def idle(engine: a.Engine, cpu: int) -> bool:
    return not (engine.current[cpu] or engine.overhead[cpu] or engine.queue_length[cpu])


@given(st.lists(CPU, min_size=1, max_size=11), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_first_that_is_done_is_found(
    cpus: list[tuple[int, int, int, int]], shared_clock: bool
) -> None:
    engine, handle = made(cpus, shared_clock)
    left = {
        cpu: int(engine.overhead[cpu] + engine.burst[cpu])
        for cpu in range(len(cpus))
        if not idle(engine, cpu)
    }
    assert engine.scalars[a.BUSY] == len(left)
    time, cpu = next_done(handle)
    if not left:
        assert cpu == -1
        return
    assert cpu == min(left, key=lambda each: (left[each], each))
    assert time == left[cpu] * (len(left) if shared_clock else 1)


@given(st.lists(CPU, min_size=1, max_size=5), st.lists(st.integers(1, 30), max_size=5))
@settings(max_examples=150, deadline=None)
def test_work_is_taken_from_overhead_and_then_from_the_burst(
    cpus: list[tuple[int, int, int, int]], steps: list[int]
) -> None:
    engine, handle = made(cpus, False)
    begun = [int(n) for n in engine.overhead], [int(n) for n in engine.burst]
    now = 0
    for step in steps:
        time, cpu = next_done(handle)
        now = min(now + step, time) if cpu >= 0 else now + step
        pass_time(handle, now)
    settle_all(handle)
    for cpu, (overhead, burst) in enumerate(zip(*begun, strict=True)):
        worked = now if engine.current[cpu] else min(now, overhead)
        assert engine.overhead[cpu] == max(overhead - worked, 0)
        assert engine.burst[cpu] == max(burst - max(worked - overhead, 0), 0)
        assert engine.busy_ns[cpu] == worked


def test_cpus_that_share_a_clock_work_a_share_of_the_time_each() -> None:
    engine, handle = made([(1, 0, 30, 0), (1, 5, 20, 0), (0, 0, 0, 0)], True)
    pass_time(handle, 21)
    settle_all(handle)
    assert engine.burst.tolist() == [20, 15, 0] and engine.overhead.tolist() == [0, 0, 0]
    assert engine.busy_ns.tolist() == [10, 10, 0]
    assert next_done(handle) == (21 + 2 * 15, 1)


def test_a_cpu_whose_switch_ends_with_another_cpus_burst_is_idle() -> None:
    engine, handle = made([(1, 0, 7, 0), (0, 7, 0, 0)], True)
    assert next_done(handle) == (14, 0)
    pass_time(handle, 14)
    engine.current[0] = 0
    settle_all(handle)
    touch(handle, 0)
    assert next_done(handle) == (14, -1)
    assert engine.scalars[a.BUSY] == 0


def test_a_spin_lock_is_taken_by_one_cpu_after_the_other() -> None:
    engine, handle = made([(1, 0, 0, 0), (1, 5, 0, 0), (1, 0, 0, 0)], False)
    engine.scalars[a.NOW] = 100
    engine.cost_free[0] = 0
    assert spin_lock(handle, 0, 0, 10) == 10, "it is free"
    assert spin_lock(handle, 1, 0, 10) == 15, "asks at 105, has it from 110 to 120"
    assert spin_lock(handle, 2, 0, 7) == 27, "asks at 100, has it from 120 to 127"
    engine.scalars[a.NOW] = 500
    assert spin_lock(handle, 0, 0, 10) == 10, "it was free again"


def test_nobody_waits_for_a_spin_lock_where_cpus_share_one_clock() -> None:
    _, handle = made([(1, 0, 0, 0), (1, 0, 0, 0)], True)
    assert [spin_lock(handle, cpu, 0, 10) for cpu in (0, 1)] == [10, 10]


def test_cpus_that_spin_answer_once_they_have_had_their_lock() -> None:
    engine, handle = made([(1, 0, 0, 0), (1, 0, 0, 0), (1, 3, 0, 0)], False)
    engine.scalars[a.NOW] = 100
    engine.cost_free[0] = 0
    assert wait_for_answers(handle, 2, 7) == 7, "nobody spins"
    spin_lock(handle, 0, 0, 10)
    spin_lock(handle, 1, 0, 10)
    assert wait_for_answers(handle, 2, 7) == 17, "asks at 103, the last of them is done at 120"
    assert wait_for_answers(handle, 2, 50) == 50
    engine.scalars[a.SHARED_CLOCK] = 1
    assert wait_for_answers(handle, 2, 7) == 7

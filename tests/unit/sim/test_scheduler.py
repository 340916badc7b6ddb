# SPDX-License-Identifier: GPL-2.0-only
"""The rules of the fair scheduler, one by one."""

from __future__ import annotations

from typing import Any

from faultlock.sim import arrays as a
from faultlock.sim import placement, scheduler
from tests.unit.sim.small_engine import bare


def one_running(cpus: int = 1) -> tuple[Any, Any]:
    """Thread 1 runs on CPU 0, nobody else is there."""
    engine, handle = bare(cpus=cpus)
    scheduler.enqueue(handle, 0, 1, False)
    scheduler.set_next(handle, 0, scheduler.pick_next(handle, 0))
    return engine, handle


def test_a_woken_thread_with_no_lag_does_not_preempt() -> None:
    engine, handle = one_running()
    engine.scalars[a.NOW] = 100_000
    scheduler.enqueue(handle, 0, 2, False)
    scheduler.check_preempt(handle, 0, 2)
    assert engine.resched[0] == 0
    assert engine.vruntime[2] == engine.vruntime[1] == 100_000


def test_the_slice_ends_and_the_other_one_runs() -> None:
    engine, handle = bare()
    scheduler.enqueue(handle, 0, 1, False)
    scheduler.enqueue(handle, 0, 2, False)
    first = scheduler.pick_next(handle, 0)
    scheduler.set_next(handle, 0, first)
    engine.scalars[a.NOW] = 749_999
    scheduler.update_current(handle, 0)
    assert engine.resched[0] == 0
    engine.scalars[a.NOW] = 750_000
    scheduler.update_current(handle, 0)
    assert engine.resched[0] == 1
    scheduler.put_current(handle, 0)
    assert scheduler.pick_next(handle, 0) == 3 - first


def test_a_waker_has_run_on_when_it_wakes_the_next_one() -> None:
    """Its wake-ups take time that the engine lets pass only at the end of its burst."""
    engine, handle = one_running()
    engine.scalars[a.NOW] = 100_000
    scheduler.enqueue(handle, 0, 2, False)
    engine.debt[0] = 2_000
    scheduler.enqueue(handle, 0, 3, False)
    assert engine.vruntime[2] == 100_000
    assert engine.vruntime[1] == 102_000
    assert engine.vruntime[3] == 101_000, "between the two"
    engine.debt[0], engine.scalars[a.NOW] = 0, 102_000
    scheduler.update_current(handle, 0)
    assert engine.vruntime[1] == 102_000, "not charged twice"


def test_an_interrupt_takes_the_time_of_who_runs() -> None:
    engine, handle = one_running(cpus=2)
    engine.scalars[a.IN_IRQ], engine.scalars[a.IRQ_TIME] = 1, 3_000
    engine.scalars[a.IRQ_CPU] = 1
    scheduler.update_current(handle, 0)
    assert engine.vruntime[1] == 0, "the interrupt is on another CPU"
    engine.scalars[a.IRQ_CPU] = 0
    scheduler.update_current(handle, 0)
    assert engine.vruntime[1] == 3_000


def test_a_new_task_has_half_a_slice() -> None:
    engine, handle = bare()
    scheduler.enqueue(handle, 0, 1, True)
    assert engine.deadline[1] - engine.vruntime[1] == 375_000


def test_a_sleeper_that_ran_more_than_its_share_stays_queued_until_eligible() -> None:
    engine, handle = one_running()
    scheduler.enqueue(handle, 0, 2, False)
    engine.scalars[a.NOW] = 50_000
    scheduler.dequeue_current(handle, 0, False)
    assert engine.delayed[1] == 1 and engine.on_rq[1] == 1
    scheduler.set_next(handle, 0, scheduler.pick_next(handle, 0))
    assert engine.current[0] == 2
    engine.scalars[a.NOW] = 200_000
    scheduler.dequeue_current(handle, 0, False)
    assert scheduler.pick_next(handle, 0) == 0
    assert engine.delayed.sum() == 0 and engine.on_rq.sum() == 0


def test_the_earliest_eligible_deadline_is_picked() -> None:
    engine, handle = bare()
    for thread, vruntime, deadline in ((1, 0, 900), (2, 100, 800), (3, 5000, 100)):
        engine.vruntime[thread], engine.deadline[thread] = vruntime, deadline
        engine.on_rq[thread] = 1
        engine.vruntime_sum[0] += vruntime
        scheduler.queue_insert(handle, 0, thread)
    assert scheduler.pick(handle, 0) == 2


def test_a_dead_task_leaves_at_once() -> None:
    engine, handle = one_running()
    scheduler.enqueue(handle, 0, 2, False)
    engine.scalars[a.NOW] = 50_000  # it is not eligible: a sleeper would stay
    scheduler.dequeue_current(handle, 0, True)
    assert engine.delayed[1] == 0 and engine.on_rq[1] == 0


def _delayed_sleeper() -> tuple[a.Engine, Any]:
    """Thread 1 ran 10 us, slept and stays queued; thread 2 is current."""
    engine, handle = one_running()
    scheduler.enqueue(handle, 0, 2, False)
    engine.scalars[a.NOW] = 10_000
    scheduler.dequeue_current(handle, 0, False)
    scheduler.set_next(handle, 0, scheduler.pick_next(handle, 0))
    assert engine.delayed[1] == 1 and engine.current[0] == 2
    return engine, handle


def test_a_delayed_sleeper_that_wakes_preempts_who_ran_longer() -> None:
    engine, handle = _delayed_sleeper()
    engine.scalars[a.NOW] = 60_000  # thread 2 has run 50 us, not charged yet
    place = int(engine.vruntime[1])
    scheduler.enqueue(handle, 0, 1, False)
    assert engine.vruntime[1] == place, "its lag is taken before thread 2 is charged"
    scheduler.check_preempt(handle, 0, 1)
    assert engine.resched[0] == 1


def test_past_its_slice_an_ineligible_thread_gives_way_at_every_update() -> None:
    engine, handle = one_running()
    engine.scalars[a.NOW] = 800_000  # alone: a new slice, and no reason to give way
    scheduler.update_current(handle, 0)
    assert engine.resched[0] == 0
    scheduler.enqueue(handle, 0, 2, False)
    engine.scalars[a.NOW] = 801_000
    scheduler.update_current(handle, 0)
    assert engine.resched[0] == 1


def test_a_kworker_runs_where_its_work_was_queued_and_is_not_pulled_away() -> None:
    engine, handle = one_running(cpus=3)
    engine.scalars[a.WORKER_THREAD] = 2
    assert placement.choose_cpu(handle, 2, 0) == 0, "though CPU 1 is idle"
    assert placement.choose_cpu(handle, 3, 0) != 0
    scheduler.enqueue(handle, 0, 2, False)
    assert placement.pull_work(handle, 1) == 0
    engine.scalars[a.WORKER_THREAD] = 0
    assert placement.pull_work(handle, 1) == 2


def test_a_kworker_that_has_not_left_another_queue_yet_leaves_it() -> None:
    engine, handle = one_running(cpus=2)
    engine.scalars[a.WORKER_THREAD] = 1
    scheduler.enqueue(handle, 0, 2, False)
    engine.scalars[a.NOW] = 500_000
    scheduler.dequeue_current(handle, 0, False)
    assert engine.delayed[1] == 1 and engine.queue_length[0] == 2
    assert placement.choose_cpu(handle, 1, 1) == 1
    assert (engine.delayed[1], engine.on_rq[1], engine.queue_length[0]) == (0, 0, 1)

# SPDX-License-Identifier: GPL-2.0-only
"""The event engine on a small model whose timing can be worked out by hand."""

from __future__ import annotations

import numpy

from faultlock.sim import arrays as a
from faultlock.sim.thread_steps import OK
from tests.unit.sim.small_engine import contended


def test_every_thread_ends_and_nothing_is_lost() -> None:
    engine = contended(16)
    assert engine.scalars[a.ERROR] == OK
    assert engine.scalars[a.RUNNING_THREADS] == 0
    begun, ended, reads = engine.event_count[:3, 0]
    assert begun == ended == engine.totals[0, 0] > 1000
    assert 0.4 < reads / begun < 0.6
    assert engine.buckets[0].sum() == engine.totals[0, 0]


def test_a_single_thread_takes_the_costs_and_the_latency_and_no_more() -> None:
    """Without a read: 5 us + 1 us.  With one: the latency and the interrupt's path besides."""
    engine = contended(1)
    low, high = engine.totals[0, 2], engine.totals[0, 3]
    assert low == 6000
    assert 1_006_000 < high < 1_020_000


def test_same_seed_same_run_and_another_seed_another() -> None:
    first, again, other = contended(8), contended(8), contended(8, seed=2)
    assert numpy.array_equal(first.buckets, again.buckets)
    assert numpy.array_equal(first.event_count, again.event_count)
    assert not numpy.array_equal(first.buckets, other.buckets)


def test_a_short_queue_makes_requests_wait() -> None:
    deep, short = contended(16), contended(16, queue_depth=1)
    assert short.totals[0, 1] / short.totals[0, 0] > 3 * deep.totals[0, 1] / deep.totals[0, 0]


def test_cpus_that_share_one_clock_work_one_second_a_second_together() -> None:
    own = contended(64, cpus=2, latency_ns=10_000)
    shared = contended(64, cpus=2, latency_ns=10_000, shared_clock=True)
    assert own.busy_ns.sum() > 1.05 * own.scalars[a.NOW]
    assert shared.busy_ns.sum() <= shared.scalars[a.NOW]
    assert shared.totals[0, 0] < own.totals[0, 0]


def test_waits_for_the_mutex_are_recorded() -> None:
    engine = contended(64, cpus=4, latency_ns=10_000)
    assert engine.waits[:, :, 0].sum() > 0
    assert engine.waits[:, :, 1].sum() >= engine.waits[:, :, 2].max()

# SPDX-License-Identifier: GPL-2.0-only
"""Timers, random numbers, histograms, cost files."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultlock.errors import FaultlockError
from faultlock.sim import arrays as a
from faultlock.sim.cost import load_costs, parse_costs, shipped_tables
from faultlock.sim.randoms import sample, zipf
from faultlock.sim.records import bucket_of, count_time
from faultlock.sim.result import Distribution, bucket_bounds, merge
from faultlock.sim.timers import pop, push
from tests.unit.sim.small_engine import ENGINE_COSTS, MACHINE, bare


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_timers_come_in_order_of_time_and_then_of_insertion(times: list[int]) -> None:
    engine, handle = bare(threads=20)
    for number, time in enumerate(times):
        push(handle, time, time, a.EVENT_SLEEP, number)
    order = [pop(handle)[1] for _ in times]
    assert order == sorted(range(len(times)), key=lambda number: (times[number], number))
    assert engine.scalars[a.HEAP_LENGTH] == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 42))
def test_a_time_lies_in_its_bucket(value: int) -> None:
    low, high = bucket_bounds(bucket_of(value))
    assert low <= value < high
    assert high - low <= max(1, value / 127)


@pytest.mark.parametrize(
    ("row", "mean"),
    [
        ((a.CONSTANT, 500, 500, 0, 0, 0), 500),
        ((a.UNIFORM, 0, 1000, 0, 0, 0), 500),
        ((a.EXPONENTIAL, 0, 1000, 0, 0, 0), 1000),
        ((a.LOGNORMAL, 0, 1000, 0.5, 0, 0), 1133),
        ((a.HISTOGRAM, 0, 0, 0, 0, 2), 625),
    ],
)
def test_samples_have_the_mean_of_their_distribution(
    row: tuple[float, ...], mean: float
) -> None:
    engine, handle = bare()
    engine.distributions[0] = row
    engine.bins[0], engine.bins[1] = (500, 0.5), (1500, 1.0)
    values = [sample(handle, 0, 0) for _ in range(20_000)]
    assert numpy.mean(values) == pytest.approx(mean, rel=0.05)


def test_zipf_prefers_low_ranks_and_stays_in_range() -> None:
    _, handle = bare()
    ranks = [zipf(handle, 1, 10, 110, 0.99) for _ in range(5000)]
    assert min(ranks) == 10 and max(ranks) < 110
    assert numpy.median(ranks) < 30


def test_quantiles_and_merging() -> None:
    engine, handle = bare()
    for value in range(1, 10_001):
        count_time(handle, 0, value * 1000)
    times = Distribution(engine.buckets[0].copy(), 10_000, 50_005_000_000, 1000, 10_000_000)
    assert times.mean_us == 5000.5
    assert times.quantile_us(0.9) == pytest.approx(9000, rel=0.01)
    twice = times.merged(times)
    assert twice.n == 20_000 and twice.quantile_us(0.5) == pytest.approx(5000, rel=0.01)
    assert callable(merge)


@pytest.mark.parametrize("name", shipped_tables())
def test_shipped_cost_files_can_be_read(name: str) -> None:
    table = load_costs(name)
    assert table.slice_ns > 0 and table.costs["submit_bio"].ns > 0


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "[machine] and [costs]"),
        ({"machine": MACHINE, "costs": {}}, "engine_irq_entry is missing"),
        ({"machine": MACHINE, "costs": {**ENGINE_COSTS, "x": -1}}, "costs.x"),
        ({"machine": MACHINE, "costs": {**ENGINE_COSTS, "x": {"ms": 1}}}, "unknown key 'ms'"),
        ({"machine": MACHINE, "costs": {**ENGINE_COSTS, "x": {"ms": 1}}}, "spin_lock, answered"),
        ({"machine": {}, "costs": ENGINE_COSTS}, "machine.tick_ns"),
    ],
)
def test_bad_cost_files_are_refused_in_one_line(document: dict[str, object], part: str) -> None:
    with pytest.raises(FaultlockError, match=part.replace("[", r"\[").replace("]", r"\]")):
        parse_costs(document, "my.toml", "my")


def test_unknown_cost_tables_are_named() -> None:
    with pytest.raises(FaultlockError, match="qemu-icount"):
        load_costs("no-such-table")

# SPDX-License-Identifier: GPL-2.0-only
"""Quantities with units, and distributions of times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultlock.errors import FaultlockError
from faultlock.units import (
    format_size_bytes,
    format_time_ns,
    parse_rate_bytes_per_s,
    parse_size_bytes,
    parse_time_ns,
)
from faultlock.workload.distribution import parse_distribution


@pytest.mark.parametrize(
    ("text", "value_ns"),
    [("10ms", 10_000_000), ("1.5us", 1500), ("0", 0), (" 2 s ", 2_000_000_000), ("-3ns", -3)],
)
def test_times(text: str, value_ns: int) -> None:
    assert parse_time_ns(text) == value_ns


@pytest.mark.parametrize(
    ("text", "value"),
    [("4KiB", 4096), ("16 pages", 65536), ("16MB", 16_000_000), ("1GiB", 1 << 30)],
)
def test_sizes(text: str, value: int) -> None:
    assert parse_size_bytes(text) == value


@pytest.mark.parametrize("text", ["", "10", "ms", "10 lightyears", "1e9s", "9" * 200, "10ms10ms"])
def test_bad_times_say_what_is_wrong(text: str) -> None:
    with pytest.raises(FaultlockError, match=r"unit|quantity"):
        parse_time_ns(text)


def test_rates_need_per_second() -> None:
    assert parse_rate_bytes_per_s("200MB/s") == 200_000_000
    with pytest.raises(FaultlockError, match="not a rate"):
        parse_rate_bytes_per_s("200MB")


@given(st.integers(min_value=0, max_value=10**15))
def test_printed_times_are_read_back(value_ns: int) -> None:
    assert abs(parse_time_ns(format_time_ns(value_ns)) - value_ns) <= value_ns * 1e-5


def test_printed_sizes() -> None:
    assert [format_size_bytes(n) for n in (5, 65536, 3 << 30)] == ["5B", "64KiB", "3GiB"]


@pytest.mark.parametrize(
    ("text", "mean_ns"),
    [
        ("10ms", 10e6),
        ("uniform(0, 2ms)", 1e6),
        ("exponential(3ms)", 3e6),
        ("lognormal(1ms, 0)", 1e6),
    ],
)
def test_means(text: str, mean_ns: float) -> None:
    assert parse_distribution(text).mean_ns() == pytest.approx(mean_ns)


@pytest.mark.parametrize(
    "text", ["10ms", "uniform(1ms, 2ms)", "exponential(3ms)", "lognormal(1ms, 0.7)"]
)
def test_quantiles_have_the_mean(text: str) -> None:
    distribution = parse_distribution(text)
    n = 20_000
    values = [distribution.quantile_ns((i + 0.5) / n) for i in range(n)]
    assert values == sorted(values)
    assert sum(values) / n == pytest.approx(distribution.mean_ns(), rel=0.01)


def test_histogram() -> None:
    distribution = parse_distribution(
        {"upper_bounds": ["100us", "200us", "400us"], "counts": [1, 0, 3]}
    )
    assert distribution.mean_ns() == pytest.approx((50e3 + 3 * 300e3) / 4)
    assert distribution.quantile_ns(0.1) < 100e3
    assert distribution.quantile_ns(0.5) > 200e3


@pytest.mark.parametrize(
    "value",
    [
        5,
        "-1ms",
        "uniform(2ms, 1ms)",
        "gauss(1ms, 2ms)",
        "lognormal(1ms, x)",
        {"upper_bounds": ["1ms"], "counts": [1, 2]},
        {"upper_bounds": ["2ms", "1ms"], "counts": [1, 2]},
        {"upper_bounds": ["1ms"], "counts": [0]},
        {"upper_bounds": ["1ms"], "counts": [1], "bins": 3},
    ],
)
def test_bad_distributions(value: object) -> None:
    with pytest.raises(FaultlockError):
        parse_distribution(value)
